"""Revoke a grant under a claim, and leave a document that says so.

    claim ──> request to the revocation endpoint ──> record ──> document without tokens ──> AWSCURRENT

Whatever dies in between: either the grant lives, and a run refreshes it once the claim has ended. Or it is dead, and
the provider rejects the token that a run sends. The same command, run again, goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from token_refresh.errors import ClientRejected, SecretEmpty, TokenRefreshError
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_worker.core import plan
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import RunState, Snapshot, TokenSet
from token_refresh_worker.core.steps import Fresh, Reason, Step, TokenUsed
from token_refresh_worker.core.versions import CURRENT, OUTCOME, revoked_version_id
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.oauth.revocation import revocation_request
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.redemption import Redemption
from token_refresh_worker.run.request_sender import PreparedRefresh
from token_refresh_worker.run.run import Run
from token_refresh_worker.stored.origin import Origin

_CHECKS: Final = {
    plan.store_kept_tokens,
    plan.forward_stored_tokens,
    plan.refuse_other_settings,
    plan.stop_at_used_token,
    plan.wait_for_open_claim,
    plan.redeem_once,
}
_RULES: Final = tuple(rule for rule in plan.RULES if rule.check in _CHECKS)
"""The newest token, alone, at its own provider. What spares a grant or the provider forbids no revocation."""
_TOKEN_GONE: Final = tuple(rule for rule in _RULES if rule.check is not plan.stop_at_used_token)
"""For a used token whose successor is lost: the provider may still end its grant."""

SendRevocation = Callable[[TokenRequest], FailedRequest | None]
"""Sends the request to the provider; returns why the token may still work, or None if it works no more."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Revocation(Redemption):
    """Revokes where a run would redeem. What a run would do before that it does too: the newest token counts."""

    send: SendRevocation

    def prepare(self, snapshot: Snapshot) -> PreparedRefresh:
        """Build the request before a claim is stored."""
        prepared = Redemption.prepare(self, snapshot)
        document, provider = snapshot.current.document, prepared.provider
        access_token = document.access_token if provider.revocation.access_token or not document.refresh_token else None
        request = revocation_request(
            access_token or document.refresh_token,
            "access_token" if access_token else "refresh_token",
            prepared.client,
            provider.request,
            provider.revocation,
            endpoint=provider.token_endpoint,
        )
        return replace(prepared, request=request)

    def redeem(self, claim: Claim, prepared: PreparedRefresh, snapshot: Snapshot) -> TokenSet | None:
        """Send the request once, and stage the document without tokens.

        Raises:
            ChangeFailed: The provider did not revoke, or nobody knows whether it did.
            SecretStoreError: It revoked, and the document could not be stored.
            DeadlineExceeded: Too little time is left; nothing was sent.
        """
        # The machine may have been suspended since the claim was stored: it may have ended, and a run refreshed.
        if self.parts.deadline.remaining_seconds < self.parts.needed_seconds:
            self.end_attempt(claim, Fate.NOT_REDEEMED)
            raise self._too_late()
        failed = self.send(prepared.request)
        if failed is not None:
            # Nothing was redeemed, whatever became of the request: runs may go on at once.
            self.end_attempt(claim, Fate.NOT_REDEEMED, failed)
            raise self._failed(failed)
        self.end_attempt(claim, Fate.REJECTED, FailedRequest(kind=FailureKind.GRANT_REJECTED, seen="", error="revoked"))
        document = snapshot.current.document
        before = document.origin or Origin(
            host=self.parts.policy.host, grace=self.parts.policy.replay_grace, claim_store=self.parts.policy.claim_store
        )
        now = self.memory.service_now()
        origin = replace(before, claim_id=claim.claim_id, number=claim.number, authorized=False, revoked_at=now)
        revoked = document.revoked(replace(origin, grant_ends_at=None, grant_began_at=None))
        version_id = revoked_version_id(claim.claim_id, claim.version_id)
        try:
            self.parts.store.put(version_id, revoked.serialize(), label=OUTCOME)
        except TokenRefreshError as error:
            what = f"the grant in {self.parts.secret} is revoked, but the secret could not be updated"
            again = self.parts.secret.command("revoke")
            raise error.within(what, ("Correct that, then: ", again)) from None
        return self.memory.note_staged(version_id, revoked, received=True)

    def _failed(self, response: FailedRequest) -> ChangeFailed | ClientRejected:
        what = f"the grant in {self.parts.secret} is not revoked, as far as is known ({response.seen})"
        again = self.parts.secret.command("revoke")
        if response.kind is FailureKind.CLIENT_REJECTED:
            return ClientRejected(what, fix=("Correct the client credentials, then: ", again))
        if response.kind is FailureKind.REQUEST_REJECTED:  # Not all follow RFC 7009 section 2.2 for a dead token.
            by_hand = self.parts.secret.command("revoke", "--by-hand")
            return ChangeFailed(what, fix=("Try again; if the user's account no longer lists this client: ", by_hand))
        return ChangeFailed.for_now(what, fix=("Nothing of it is stored, and the schedule goes on. Try again: ", again))


def revoke_grant(run: Run, send: SendRevocation) -> TokenSet:
    """Revoke the grant of a run's secret, and return the version that says so."""
    run = replace(
        run,
        # A copy that can't be read keeps nobody from revoking.
        parts=replace(run.parts, published=None),
        decide=_decide,
        redemption=lambda parts, memory: Revocation(parts=parts, memory=memory, send=send),
    )
    secret, memory = run.parts.secret, run.memory
    try:
        ended = run.execute()
    except SecretEmpty:  # After a lost response the label had moved: the next read is that of the document.
        if not memory.received:
            raise
        ended = None
    stored = next((memory.staged[version_id] for version_id in memory.received), None)
    if stored is None:
        assert ended is not None  # noqa: S101 - else it would be raised
        until = f" until {utc(ended.retry_at)}" if ended.retry_at else ""
        raise ChangeFailed.for_now(
            f"{(ended.reason or Reason.CLAIMED).value} on {secret}{until}; nothing was sent",
            fix=("Wait for it, then: ", secret.command("revoke")),
        )
    assert memory.snapshot is not None  # noqa: S101 - nothing is stored before the first read
    known = memory.snapshot.current.version_id
    # What this command made current itself needs no read, which may be older.
    read = None if known == stored.version_id else run.parts.store.read(label=CURRENT)
    if stored.version_id in {known, read and read.version_id}:
        return stored
    if (known, stored.version_id) in memory.refused:
        # The move from this version was refused, so it is current no more: this command moved, or somebody else.
        raise ChangeFailed(
            f"the grant is revoked, and a read of {secret} is too old to show what is current",
            fix=("Look at it in ten minutes: ", secret.command("status")),
        )
    raise ChangeFailed(
        f"the grant is revoked, and somebody stored another token set in {secret} meanwhile; it stays",
        fix=("Look at it: ", secret.command("status")),
    )


def _decide(snapshot: Snapshot, state: RunState, policy: Policy) -> Step:
    if snapshot.current.document.revoked_at is not None:
        return Fresh()
    step = plan.plan(snapshot, state, policy, _RULES)
    return plan.plan(snapshot, state, policy, _TOKEN_GONE) if isinstance(step, TokenUsed) else step
