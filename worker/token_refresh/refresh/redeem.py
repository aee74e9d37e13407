"""Redeem a refresh token under a claim, and store what comes back before anything else is done with it.

tenacity is imported where something has to be repeated: most runs repeat nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Final

from token_refresh.core.claims import ClaimEntry, Redemption
from token_refresh.core.schedule import may_be_sent_again
from token_refresh.core.snapshot import Snapshot, TokenSet
from token_refresh.core.versions import PENDING, staged_version_id
from token_refresh.errors import (
    ClientRejected,
    InvalidTokenResponse,
    RefreshError,
    RefreshOutcomeUnknown,
    SecretStoreError,
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokensNotStored,
)
from token_refresh.oauth.request import TokenRequest
from token_refresh.oauth.response import Answer, Failure, Kind, TokenResponse
from token_refresh.refresh.requests import PreparedRefresh
from token_refresh.refresh.session import LEAST_REQUEST_SECONDS, STORE_RESERVE_SECONDS, Session
from token_refresh.refresh.steps import dead_grant
from token_refresh.stored.document import TokenDocument

if TYPE_CHECKING:
    from tenacity import RetryCallState

REQUESTS_LIMIT: Final = 4
"""Token requests that one run sends at most."""

CONFIRM_AFTER_SECONDS: Final = (0.0, 1.0, 2.0)
"""When the stored state is read again after `invalid_grant`: another writer may just be storing what it received."""


def redeem(claim: ClaimEntry, session: Session, snapshot: Snapshot) -> TokenDocument | None:
    """Send the refresh request and read its answer.

    Returns:
        The document to store, or None where the grant was rejected and another version is there to be adopted.

    Raises:
        RefreshError: No tokens came; what became of the refresh token is recorded.
    """
    assert session.prepared is not None  # noqa: S101 - built before the claim was appended
    document = snapshot.current.document
    session.check_time()
    session.hold(None)  # From here on the claim is used.
    exchange = _Exchange(session, session.prepared, session.prepared.request, snapshot.unknown_since or snapshot.now)
    answer = exchange.run()
    if isinstance(answer, TokenResponse):
        return document.renewed(
            access_token=answer.access_token,
            refresh_token=answer.refresh_token,
            lifetime=exchange.prepared.lifetime(answer, exchange.sent_at),
            issued_at=exchange.sent_at,
            kept=answer.kept,
        )
    if answer.kind is Kind.GRANT_REJECTED:
        superseded = _superseded(claim, session)
        session.record(claim, Redemption.REJECTED, answer.error)
        if superseded:
            return None
        raise dead_grant(session.secret_id, session.service_now())
    session.record(claim, Redemption.UNKNOWN if exchange.unsure else Redemption.NOT_REDEEMED, answer.error)
    raise _failure(answer, unsure=exchange.unsure, sent=session.requests_sent)


def stage(claim: ClaimEntry, document: TokenDocument, session: Session) -> TokenSet:
    """Store received tokens, until the deadline if need be, always under the same version ID and as the same value.

    Raises:
        TokensNotStored: They could not be stored in time.
    """
    version_id = staged_version_id(claim.claim_id, claim.version_id)
    value = document.serialize()

    def put() -> bool:
        return session.parts.store.put(version_id, value, label=PENDING)

    try:
        stored = _until_deadline(put, session)
    except SecretStoreError as error:
        raise _not_stored(session, f"{type(error).__name__}: {error}") from None
    if not stored:
        raise _not_stored(session, f"version {version_id} is taken by another value")
    session.redeemed.add(version_id)
    session.parts.log.info("tokens_staged", staged_version_id=version_id)
    return TokenSet(version_id=version_id, labels=frozenset({PENDING}), document=document)


def _until_deadline(put: Callable[[], bool], session: Session) -> bool:
    try:
        return put()
    except SecretStoreError:
        from tenacity import Retrying, retry_if_exception_type, wait_random_exponential  # noqa: PLC0415 - rarely needed

        return Retrying(
            retry=retry_if_exception_type(SecretStoreError),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=lambda state: session.deadline.remaining_seconds <= state.upcoming_sleep,
            sleep=session.parts.clock.sleep,
            reraise=True,
        )(put)


@dataclass(slots=True)
class _Exchange:
    """One refresh request, sent as often as it may be."""

    session: Session
    prepared: PreparedRefresh
    request: TokenRequest
    first_sent_at: datetime
    """When the refresh token may first have been redeemed: the provider's grace counts from there."""
    sent_at: datetime = datetime.min  # noqa: DTZ901 - replaced at the first request
    unsure: bool = False
    """Whether a request may have redeemed the refresh token without an answer that says so."""

    def run(self) -> Answer:
        answer = self._send()
        answer = self._repeat(answer) if self._may_repeat(answer) else answer
        other = self._with_previous_client(answer)
        if other is None:
            return answer
        self.request = other
        return self._send()

    def _with_previous_client(self, answer: Answer) -> TokenRequest | None:
        """Give the one other request to try after the client was rejected."""
        if isinstance(answer, Failure) and answer.kind is Kind.CLIENT_REJECTED:
            return self.prepared.with_previous_client()
        return None

    def _repeat(self, first: Answer) -> Answer:
        from tenacity import Retrying, retry_if_result, wait_random_exponential  # noqa: PLC0415 - rarely needed

        backoff = wait_random_exponential(multiplier=0.5, max=5)
        answers: Iterator[Answer] = chain((first,), iter(self._send, None))
        return Retrying(
            retry=retry_if_result(self._may_repeat),
            wait=lambda state: max(_asked_seconds(state), backoff(state)),
            stop=self._enough,
            sleep=self.session.parts.clock.sleep,
            retry_error_callback=_answer_of,
        )(lambda: next(answers))

    def _send(self) -> Answer:
        session = self.session
        self.sent_at = session.service_now()
        session.requests_sent += 1
        timeout_seconds = min(
            session.request_timeout_seconds, session.deadline.remaining_seconds - STORE_RESERVE_SECONDS
        )
        answer = session.parts.endpoint(self.prepared.provider).send(self.request, timeout_seconds=timeout_seconds)
        if isinstance(answer, Failure):
            self.unsure = self.unsure or answer.kind.may_have_redeemed
            session.parts.log.warning("token_request_failed", kind=answer.kind.name.lower(), seen=answer.seen)
        return answer

    def _may_repeat(self, answer: Answer) -> bool:
        if isinstance(answer, TokenResponse):
            return False
        if answer.kind.may_have_redeemed:
            return may_be_sent_again(self.first_sent_at, self.session.service_now(), self.session.policy)
        return answer.kind in {Kind.NOT_SENT, Kind.BUSY}

    def _enough(self, state: "RetryCallState") -> bool:
        needed = state.upcoming_sleep + LEAST_REQUEST_SECONDS + STORE_RESERVE_SECONDS
        return state.attempt_number >= REQUESTS_LIMIT or self.session.deadline.remaining_seconds < needed


def _answer_of(state: "RetryCallState") -> Answer:
    assert state.outcome is not None  # noqa: S101 - asked after a request
    answer: Answer = state.outcome.result()
    return answer


def _asked_seconds(state: "RetryCallState") -> float:
    """Give how long the endpoint asked to be left alone."""
    answer = _answer_of(state)
    return answer.retry_after.total_seconds() if isinstance(answer, Failure) and answer.retry_after else 0.0


def _superseded(claim: ClaimEntry, session: Session) -> bool:
    """After `invalid_grant`, look whether another version is current or tokens were staged meanwhile."""
    for seconds in CONFIRM_AFTER_SECONDS:
        session.parts.clock.sleep(seconds)
        snapshot = session.read()
        if snapshot.current.version_id != claim.version_id or any(a.staged for a in snapshot.attempts):
            return True
    return False


def _failure(answer: Failure, *, unsure: bool, sent: int) -> RefreshError:
    """Say what is wrong and what to do, in words of ours alone."""
    seen = f"{answer.seen}, after {sent} request{'s' if sent > 1 else ''}"
    match answer.kind:
        case Kind.CLIENT_REJECTED:
            return ClientRejected(
                f"the token endpoint refused the client credentials ({seen}); the grant may be fine. Correct clientId "
                "and clientSecret where they are stored (CLIENT_SECRET_ID, the token secret, or UPWORK_CLIENT_ID and "
                "UPWORK_CLIENT_SECRET), and check TOKEN_ENDPOINT_AUTH_METHOD"
            )
        case Kind.REQUEST_REJECTED:
            return TokenRequestRejected(
                f"the token endpoint refused the request ({seen}); nothing was redeemed. Check that TOKEN_ENDPOINT is "
                "the provider's, and that the client may use the refresh_token grant"
            )
        case Kind.UNREADABLE | Kind.UNEXPECTED:
            redeemed = "the refresh token may have been redeemed" if unsure else "nothing was redeemed"
            return InvalidTokenResponse(
                f"the answer was not a token response ({seen}); {redeemed}. Check TOKEN_ENDPOINT, and whether a proxy "
                "or a challenge page answers in the provider's place"
            )
        case _ if unsure:
            return RefreshOutcomeUnknown(
                f"a token request may have been received and no answer came ({seen}). The next run repeats it where "
                "the provider's grace period (REPLAY_GRACE_SECONDS) allows that; otherwise it waits until shortly "
                "before the access token expires"
            )
        case _:
            return TokenEndpointUnavailable(
                f"the token endpoint could not be reached, or asked for patience ({seen}); nothing was redeemed, and a "
                "later run tries again. Check TOKEN_ENDPOINT and the function's network"
            )


def _not_stored(session: Session, why: str) -> TokensNotStored:
    return TokensNotStored(
        f"new tokens were received for secret {session.secret_id} and could not be stored before the deadline ({why}). "
        "Where the provider has a grace period the next run receives them again; otherwise re-authorize with "
        "`token-refresh authorize`"
    )
