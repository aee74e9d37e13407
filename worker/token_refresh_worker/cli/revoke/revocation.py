"""Revoke a grant under a claim, through the ports of a run, and leave a document that says so.

    claim ──> request to the revocation endpoint ──> record ──> document without tokens ──> AWSCURRENT

Whatever dies in between: either the grant lives, and a run refreshes it once the claim has ended. Or it is dead, and
the provider rejects the token that a run sends. The same command, run again, goes on: of a dead token the provider
confirms that it is (RFC 7009 section 2.2).
"""

from collections.abc import Callable
from dataclasses import field, replace
from datetime import datetime
from typing import Final

from token_refresh.errors import ClientRejected, SecretEmpty, TokenRefreshError
from token_refresh.records import record
from token_refresh_worker.cli.failures import CommandFailed
from token_refresh_worker.cli.screen import when
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.plan import (
    RULES,
    forward_stored_tokens,
    plan,
    redeem_once,
    refuse_other_settings,
    stop_at_used_token,
    store_kept_tokens,
    wait_for_open_claim,
)
from token_refresh_worker.core.schedule import SETTLED, Policy
from token_refresh_worker.core.snapshot import Snapshot, TokenSet
from token_refresh_worker.core.steps import Action, Mismatch, Promote, Reason, Step, TokenUsed, Wait
from token_refresh_worker.core.versions import CURRENT, OUTCOME, revoked_version_id
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.oauth.revocation import Revoked, revocation_request
from token_refresh_worker.run.actions import Actions
from token_refresh_worker.run.failures import mismatch
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.redemption import Redemption
from token_refresh_worker.run.request_sender import PreparedRefresh
from token_refresh_worker.run.run import STEPS, Run
from token_refresh_worker.stored.origin import Origin

_CHECKS: Final = {
    store_kept_tokens,
    forward_stored_tokens,
    refuse_other_settings,
    stop_at_used_token,
    wait_for_open_claim,
    redeem_once,
}
_RULES: Final = tuple(rule for rule in RULES if rule.check in _CHECKS)
"""The newest token, alone, at its own provider. What spares a grant or the provider forbids no revocation."""
_TOKEN_GONE: Final = tuple(rule for rule in _RULES if rule.check is not stop_at_used_token)
"""For a used token whose successor is lost for good: the provider may still end its grant."""

SendRevocation = Callable[[TokenRequest], Revoked | FailedRequest]
"""Sends a request to the revocation endpoint."""


@record
class Revocation(Redemption):
    """Revokes where a run would redeem. What a run would do before that it does too: the newest token counts."""

    send: SendRevocation
    stored: list[TokenSet] = field(default_factory=list)

    def prepare(self, snapshot: Snapshot) -> PreparedRefresh:
        """Build the request before a claim is stored."""
        prepared = Redemption.prepare(self, snapshot)
        document, provider = snapshot.current.document, prepared.provider
        kind = "refresh_token" if document.refresh_token else "access_token"
        request = revocation_request(
            document.redeemed_token, kind, prepared.client, provider.request, endpoint=provider.token_endpoint
        )
        return replace(prepared, request=request)

    def redeem(self, claim: Claim, prepared: PreparedRefresh, snapshot: Snapshot) -> TokenSet | None:
        """Send the request once, and stage the document without tokens.

        Raises:
            CommandFailed: The provider did not revoke, or nobody knows whether it did.
            DeadlineExceeded: Too little time is left; nothing was sent.
        """
        # The machine may have been suspended since the claim was stored: it may have ended, and a run refreshed.
        if self.parts.deadline.remaining_seconds < self.parts.needed_seconds:
            self.record(claim, Fate.NOT_REDEEMED)
            raise self._too_late()
        response = self.send(prepared.request)
        if isinstance(response, FailedRequest):
            # Nothing was redeemed, whatever became of the request: runs may go on at once.
            self.record(claim, Fate.NOT_REDEEMED, response)
            raise self._failed(response)
        self.record(claim, Fate.REJECTED, FailedRequest(kind=FailureKind.GRANT_REJECTED, seen="", error="revoked"))
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
            what = f"the grant in {self.parts.secret} is revoked, and the secret can't say so"
            again = self.parts.secret.command("revoke")
            raise CommandFailed(what, why=error.facts, fix=("Correct that, then: ", again)) from None
        self.stored.append(TokenSet(version_id=version_id, stored_at=now, document=revoked))
        return self.stored[-1]

    def _failed(self, response: FailedRequest) -> CommandFailed | ClientRejected:
        what = f"the grant in {self.parts.secret} is not revoked, as far as is known ({response.seen})"
        again = self.parts.secret.command("revoke")
        if response.kind is FailureKind.CLIENT_REJECTED:
            return ClientRejected(what, fix=("Correct the client credentials, then: ", again))
        return CommandFailed(what, fix=("Nothing of it is stored, and the schedule goes on. Try again: ", again))


def revoke_grant(run: Run, send: SendRevocation) -> tuple[str, datetime]:
    """Revoke the grant of a run's secret, and return the version that says so, and since when.

    Raises:
        CommandFailed: The provider did not revoke, another run holds the claim, or somebody stored another token set.
        TokenRefreshError: A store refuses, or the settings don't fit the document.
    """
    parts, memory = run.parts, run.memory
    revocation = Revocation(parts=parts, memory=memory, send=send)
    actions = Actions(parts=parts, memory=memory, reader=run.reader, redemption=revocation)
    snapshot, step = run.reader.read(), None
    for _ in range(STEPS):
        step = _next_step(snapshot, memory, parts.policy)
        if isinstance(step, Mismatch):
            raise mismatch(parts.secret, step)
        if not isinstance(step, Action):
            break
        try:
            after = actions.take(step, snapshot)
        except SecretEmpty:  # After a lost response the label had moved: the next read is that of the document.
            after = None
        # What this command made current itself needs no read, which may be older.
        known = {after.current.version_id} if after else set()
        revoked = next((s for s in revocation.stored if s.version_id in known or _is_current(run, s)), None)
        if revoked is not None:
            return revoked.version_id, revoked.stored_at
        if after is None:
            break
        snapshot = after
    if revocation.stored:
        if (snapshot.current.version_id, revocation.stored[-1].version_id) in memory.refused:
            # The move from this version was refused, so it is current no more: this command moved, or somebody else.
            raise CommandFailed(
                f"the grant is revoked, and a read of {parts.secret} is too old to show what is current",
                fix=("Look at it in ten minutes: ", parts.secret.command("status")),
            )
        raise CommandFailed(
            f"the grant is revoked, and somebody stored another token set in {parts.secret} meanwhile; it stays",
            fix=("Look at it: ", parts.secret.command("status")),
        )
    reason, until = (step.reason, f" until {when(step.until)}") if isinstance(step, Wait) else (Reason.CLAIMED, "")
    raise CommandFailed(
        f"{reason.value} on {parts.secret}{until}; nothing was sent",
        fix=("Wait for it, then: ", parts.secret.command("revoke")),
    )


def _next_step(snapshot: Snapshot, memory: Memory, policy: Policy) -> Step:
    step = plan(snapshot, memory, policy, _RULES)
    if isinstance(step, TokenUsed):
        return plan(snapshot, memory, policy, _TOKEN_GONE)
    if isinstance(step, Promote) and (snapshot.current.version_id, step.successor.version_id) in memory.refused:
        return Wait(snapshot.now + SETTLED, Reason.STALE)
    return step


def _is_current(run: Run, stored: TokenSet) -> bool:
    current = run.parts.store.read(label=CURRENT)
    return current is not None and current.version_id == stored.version_id
