"""Redeem a refresh token under a claim, and store the tokens before anything else is done with them."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from token_refresh.errors import DeadlineExceeded, InvalidSecretDocument, SecretStoreUnavailable, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import DAY, Fate, fingerprint_of
from token_refresh_worker.core.claims import Claim, KeptTokens, Record
from token_refresh_worker.core.schedule import SETTLED, may_be_sent_again
from token_refresh_worker.core.snapshot import Snapshot, TokenSet
from token_refresh_worker.core.versions import OUTCOME, response_version_id, staged_version_id
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.providers.lifetime import LIFETIMES_REMARKABLE
from token_refresh_worker.run.failures import SecretName, not_stored, too_large
from token_refresh_worker.run.grant_failures import (
    ATTEMPTS_IN_VAIN,
    REFUSALS,
    attempts_in_vain,
    failed_request,
    not_signed,
    perhaps_ended,
    unread_response,
)
from token_refresh_worker.run.keeping import Keeping, tokens_kept
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import REQUEST_TIMEOUT_SECONDS, STORE_RESERVE_SECONDS, RunDependencies
from token_refresh_worker.run.renewal import Renewal
from token_refresh_worker.run.request_sender import PreparedRefresh, RequestSender, prepare_refresh
from token_refresh_worker.run.retry import repeat
from token_refresh_worker.run.version_capacity import check_places, needed_by_refresh
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES, TokenDocument
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, Origin

SIGNATURES: Final = 3
"""How often AWS is asked for a signature, where it is throttled or fails, before a run ends."""
ROOM_BYTES: Final = 16_384
"""How much a token document may grow by new tokens; one without that room is refused before anything is sent."""


def check_room(secret: SecretName, current: TokenSet) -> None:
    """Raise `InvalidSecretDocument` if the document leaves no room for what replaces it."""
    size_bytes = len(current.document.serialize().reveal())
    if size_bytes + ROOM_BYTES > SIZE_LIMIT_BYTES:
        raise InvalidSecretDocument(
            f"version {current.version_id} of {secret} has {size_bytes} bytes, which leaves no room for new tokens: "
            f"Secrets Manager takes {SIZE_LIMIT_BYTES}, and {ROOM_BYTES} must be free. Nothing was sent",
            fix=("Move keys that are not about the tokens to another secret, then run ", secret.force),
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Put:
    """What became of something that arrived."""

    stored: bool = False
    kept_tokens: KeptTokens | str = ""
    """Where Secrets Manager refused it: what the claim table keeps, or why that can't keep it."""
    error: TokenRefreshError | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Redemption:
    """Redeems at most once in a run."""

    parts: RunDependencies
    memory: Memory

    @property
    def keeping(self) -> Keeping:
        """What keeps tokens that Secrets Manager refuses."""
        return Keeping(parts=self.parts, memory=self.memory)

    def prepare(self, snapshot: Snapshot) -> PreparedRefresh:
        """Validate everything that can be validated before a claim is stored."""
        check_room(self.parts.secret, snapshot.current)
        prepared = prepare_refresh(snapshot.current.document, self.parts)
        self._sign(prepared)
        needed = needed_by_refresh(self.parts.policy.claim_store.kind, snapshot.ledger.attempts)
        check_places(self.parts, self.memory.service_now(), needed, "nothing was claimed or sent")
        if self.parts.deadline.remaining_seconds < self.parts.needed_seconds:
            raise self._too_late()
        return prepared

    def _sign(self, prepared: PreparedRefresh) -> None:
        """Sign the request, or end: who can't sign claims nothing, and refreshes at once after the repair."""
        failed = repeat(
            lambda: prepared.endpoint.sign(prepared.request),
            clock=self.parts.deadline.clock,
            until=self.parts.deadline.at - self.parts.needed_seconds,
            results=lambda failed: failed is not None and failed.kind is FailureKind.NOT_SENT,
            limit=SIGNATURES,
            first_wait_seconds=0.5,
        )
        if failed is not None:
            raise not_signed(self.parts.secret, failed, self.parts.secret.command("refresh"))

    def redeem(self, claim: Claim, prepared: PreparedRefresh, snapshot: Snapshot) -> TokenSet | None:
        """Send the request and stage the tokens; None if the provider rejected the grant.

        Raises:
            RefreshError: No tokens arrived, or they could not be stored; what became of the refresh token is recorded.
        """
        if prepared.provider.has_ended(snapshot.now.date()):
            # Its profile may be wrong, and the provider decides: the request is sent.
            self.parts.log.warning(
                "provider_ended",
                provider=prepared.provider.name,
                ended_on=str(prepared.provider.ends_on),
                successor=prepared.provider.successor,
            )
        sender = self._sender(claim, prepared, snapshot)
        response = sender.send()
        if response is None:
            # Recorded, so that the next run need not wait until the claim ends.
            self.end_attempt(claim, Fate.NOT_REDEEMED)
            raise self._too_late()
        if isinstance(response, TokenResponse):
            return self._stage(claim, self._renewed(claim, response, sender, snapshot))
        keeps, rejected = self.memory.unread_stored, response.kind is FailureKind.GRANT_REJECTED
        if rejected and not keeps:
            self.end_attempt(claim, Fate.REJECTED, response)
            self.memory.rejected[claim.version_id] = response.seen
            return None
        self.end_attempt(
            claim, Fate.UNREAD if keeps else Fate.UNKNOWN if sender.unsure else Fate.NOT_REDEEMED, response
        )
        if keeps and (rejected or not sender.replay_allowed(self.memory.service_now())):
            raise unread_response(self.parts.secret, claim.claim_id, response.seen)
        in_vain = attempts_in_vain(snapshot) + 1
        if response.kind in REFUSALS and not sender.unsure and in_vain >= ATTEMPTS_IN_VAIN:
            if in_vain == ATTEMPTS_IN_VAIN:  # Announced once.
                self.memory.rejected[claim.version_id] = response.seen
            raise perhaps_ended(self.parts.secret, in_vain, response.seen)
        raise failed_request(
            self.parts.secret, response, claim.claim_id, unsure=sender.unsure, sent=self.memory.requests_sent
        )

    def _keep_response(self, claim: Claim, unread: SecretValue, *, repeats: bool) -> None:
        """Store a response that can't be read, so that its tokens can be recovered; the first one of a run."""
        if self.memory.unread_stored:
            return
        # A request that may be repeated brings tokens sooner.
        seconds = 0 if repeats else self.parts.deadline.remaining_seconds
        put = self._put(claim, response_version_id(claim.claim_id), unread, seconds=seconds, keeps=not repeats)
        self.memory.unread_stored = put.stored or isinstance(put.kept_tokens, KeptTokens)
        if self.memory.unread_stored:
            self.parts.log.warning("response_kept", claim_id=claim.claim_id)
        else:
            error_type = type(put.error).__name__ if put.error else None
            self.parts.log.warning("response_not_kept", claim_id=claim.claim_id, error_type=error_type)

    def _put(self, claim: Claim, version_id: str, value: SecretValue, *, seconds: float, keeps: bool = True) -> _Put:
        """Store what arrived, as long as there is time, always under the same version ID and as the same value.

        With claims in a table, that keeps it from the first failure on. A refusal that does not pass by itself, such as
        a missing permission, then ends the attempts at once.
        """
        kept: KeptTokens | str = ""

        def put() -> bool:
            nonlocal kept
            try:
                return self.parts.store.put(version_id, value, label=OUTCOME)
            except Exception:
                if keeps and not isinstance(kept, KeptTokens) and self.parts.policy.claim_store != IN_VERSIONS:
                    kept = self.keeping.keep(claim, value)
                raise

        def may_pass(error: BaseException) -> bool:
            # Nothing is lost any more, and a repeat would hold up others: the next run stores what is kept.
            refused_for_good = isinstance(kept, KeptTokens) and not isinstance(error, SecretStoreUnavailable)
            return isinstance(error, TokenRefreshError) and not refused_for_good

        clock = self.parts.deadline.clock
        try:
            stored = repeat(put, clock=clock, until=clock.monotonic() + seconds, errors=may_pass)
        except TokenRefreshError as error:
            return _Put(kept_tokens=kept, error=error)
        return _Put(stored=stored, kept_tokens=kept)

    def _sender(self, claim: Claim, prepared: PreparedRefresh, snapshot: Snapshot) -> RequestSender:
        grace = snapshot.counted_grace(self.parts.policy)
        since = (*snapshot.unresolved, claim)[0].claimed_at
        # A lost response can't be repeated without a grace period, so it gets all the time that is left.
        default_seconds = REQUEST_TIMEOUT_SECONDS if grace > timedelta(0) else math.inf
        return RequestSender(
            parts=self.parts,
            memory=self.memory,
            prepared=prepared,
            replay_allowed=lambda now: may_be_sent_again(since, now, grace),
            timeout_seconds=self.parts.request_timeout_seconds or default_seconds,
            keep=lambda unread, repeats: self._keep_response(claim, unread, repeats=repeats),
        )

    def _renewed(
        self, claim: Claim, response: TokenResponse, sender: RequestSender, snapshot: Snapshot
    ) -> TokenDocument:
        renewal, sent_at = Renewal(provider=sender.prepared.provider, document=sender.prepared.document), sender.sent_at
        self._warn_of_lifetime(sender.prepared, response.lifetime_from(sent_at))
        origin = Origin(
            host=claim.host or self.parts.policy.host,
            grace=claim.grace or timedelta(0),
            claim_store=self.parts.policy.claim_store,
            claim_id=claim.claim_id,
            number=claim.number,
            foreign=snapshot.foreign,
        )
        renewed = renewal.of(response, sent_at, origin)
        size_bytes = len(renewed.serialize().reveal())
        if size_bytes > SIZE_LIMIT_BYTES:
            self.end_attempt(claim, Fate.UNKNOWN)
            # The provider redeemed the token, and what it sent is lost: the record says so.
            raise too_large(self.parts.secret, size_bytes)
        return renewed

    def _warn_of_lifetime(self, prepared: PreparedRefresh, stated: timedelta | None) -> None:
        """Warn of a response that states far more than is known, whether it is believed or not."""
        known = prepared.provider.access_token_lifetime
        if known and stated and stated > LIFETIMES_REMARKABLE * known:
            self.parts.log.warning(
                "token_lifetime_doubted",
                stated_seconds=stated // timedelta(seconds=1),
                known_seconds=known // timedelta(seconds=1),
                remedy="if tokens live so long, set token_lifetime_seconds, or lifetime_seconds in your profile",
            )

    def _stage(self, claim: Claim, document: TokenDocument) -> TokenSet:
        """Store received tokens."""
        # Derived, so that the next run finds the tokens if this one dies before it promotes them.
        version_id = staged_version_id(claim.claim_id, claim.version_id)
        # After the deadline in a process that was suspended, whose connections may be dead.
        seconds = max(self.parts.deadline.remaining_seconds, STORE_RESERVE_SECONDS / 2)
        put = self._put(claim, version_id, document.serialize(), seconds=seconds)
        kept, error = put.kept_tokens, put.error
        if error is not None:
            if isinstance(kept, KeptTokens):
                raise tokens_kept(self.parts.secret, error)
            why = f"{type(error).__name__}: {error.facts}"
            raise not_stored(self.parts.secret, f"{why}; {kept}" if kept else why, fix=error.fix)
        if not put.stored:
            raise not_stored(self.parts.secret, f"version {version_id} is taken by another value")
        if isinstance(kept, KeptTokens):
            self.keeping.forget(kept, document)
        staged = self.memory.note_staged(version_id, document, received=True)
        self.parts.log.info("tokens_staged", staged_version_id=version_id)
        # Where the claim ends before all reads of the secret show the tokens, the table shows that they are there.
        short = claim.time_to_live < self.memory.limit + SETTLED
        if short and self.parts.policy.claim_store.kind is ClaimStoreKind.TABLE:
            self.end_attempt(claim, Fate.STORED, brought=fingerprint_of(document.redeemed_token))
        return staged

    def end_attempt(
        self, claim: Claim, fate: Fate, response: FailedRequest | None = None, *, brought: str | None = None
    ) -> None:
        """Record how an attempt ended; if that fails, the claim ends with its time to live."""
        now = self.memory.service_now()
        asked = response.retry_after if response else None
        record = Record(
            fate=fate,
            error=response.error if response else None,
            retry_at=None if asked is None else now + min(asked, DAY),
            next_fingerprint=brought,
        )
        self.memory.records[claim.claim_id] = record
        try:
            self.parts.claims.store_record(claim, record)
        except TokenRefreshError as failure:  # What the provider said matters more than this.
            self.parts.log.warning("record_not_stored", claim_id=claim.claim_id, error_type=type(failure).__name__)

    def _too_late(self) -> DeadlineExceeded:
        secret, needed_seconds = self.parts.secret, self.parts.needed_seconds
        left_seconds = max(0.0, self.parts.deadline.remaining_seconds)  # negative after a suspension
        return DeadlineExceeded(
            f"{left_seconds:.0f} s are left to refresh {secret}, and {needed_seconds:.0f} s are needed; "
            "nothing was redeemed, and the next run tries again",
            fix=("Raise the function's timeout (timeout_seconds in the deployment's file), or run ", secret.force),
        )
