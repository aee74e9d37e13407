"""The rules of the protocol: from what is stored to the next step. The first rule that matches decides."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from token_refresh_worker.core.attempts import LONG_AGO, Attempt, Fate, missing_attempts
from token_refresh_worker.core.claims import Claim, KeptTokens
from token_refresh_worker.core.pauses import pause_of, repeat_allowed_until
from token_refresh_worker.core.schedule import (
    SETTLED,
    Policy,
    asked_until,
    claim_time_to_live,
    due_at,
    held_until,
    may_be_sent_again,
    next_attempt_at,
    rejection_retried_at,
    window_of,
)
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.steps import (
    AwaitOutcome,
    Fresh,
    KeptTokensLocked,
    LivingSetReplaced,
    NextTokensUndecryptable,
    Promote,
    Publish,
    Reason,
    Redeem,
    Rejected,
    ReplaceLostTable,
    RestageOnEdited,
    SettingsMismatch,
    Step,
    StopAtUnread,
    StoreKeptTokens,
    TokenUsed,
    Wait,
)
from token_refresh_worker.core.versions import (
    claim_version_id,
    published_version_id,
    staged_version_id,
    unheld_claim_id,
)
from token_refresh_worker.providers.lifetime import VERSIONS_A_CLAIM, VERSIONS_A_DAY
from token_refresh_worker.stored.origin import ClaimStoreKind

LOST_CLAIMS: Final = 8
"""How many claims a lost table may have held after the one that the current version names."""


def store_kept_tokens(snapshot: Snapshot, run: RunState, _policy: Policy) -> Step | None:
    """The claim table keeps tokens that Secrets Manager refused: store them under their own version ID."""
    kept = snapshot.kept_tokens
    # A table that was lost or restored is older than the document, and so is what it keeps.
    if kept is None or snapshot.missing_claim_id is not None:
        return None
    if kept.version_id in run.staged or kept.version_id in run.kept_tokens_locked:
        return None
    needed = _needs_kept_tokens(snapshot, kept)
    return StoreKeptTokens(kept, needed=needed) if needed or kept.version_id not in run.kept_tokens_left else None


def keep_living_set(snapshot: Snapshot, run: RunState, policy: Policy) -> Step | None:
    """Somebody replaced a set that may be alive by tokens that are known to be dead: `InvalidSecretDocument`.

    Yield while reads may lag, or a claim is open. A rejected token is sent again when its retry is due, or by force.
    """
    living = snapshot.living
    if living is None:
        return None
    # A rejection may be false. But the person who stored a set after it knew better; nobody knows that of an attempt
    # whose time can't be.
    rejection = snapshot.rejection
    retries = rejection is not None and (rejection.claimed_at == LONG_AGO or living.stored_at < rejection.claimed_at)
    sends = run.forces(snapshot) or (retries and stop_at_rejected_grant(snapshot, run, policy) is None)
    is_used = snapshot.stored_attempt is not None or snapshot.is_older_than_ledger
    if sends and not is_used and pause_of(snapshot) is None:
        return None
    # The read of the current set may be old: perhaps a run or a person has just made the living set current.
    visible_at = living.stored_at + SETTLED
    if snapshot.open_until:
        return Wait(snapshot.open_until, Reason.CLAIMED)
    if snapshot.now < visible_at:
        return Wait(visible_at, Reason.STALE)
    if living.locked:
        return NextTokensUndecryptable(living.version_id)
    return refuse_other_settings(snapshot, run, policy) or LivingSetReplaced(living)


def forward_stored_tokens(snapshot: Snapshot, _run: RunState, _policy: Policy) -> Step | None:
    """The current token was used, and its successor is readable: make that current, with what was edited meanwhile."""
    stored, successor = snapshot.stored_attempt, snapshot.successor
    if stored is None or successor is None:
        return None
    # A claim on this version stored the tokens: nobody edited the document, so AWSCURRENT can move to them. Otherwise
    # someone saved a copy with the same refresh token, and its other keys are kept.
    redeemed_here = any(a.fate is Fate.STORED for a in snapshot.on_version)
    return Promote(successor) if redeemed_here else RestageOnEdited(successor, stored.claim_id)


def refuse_other_settings(snapshot: Snapshot, _run: RunState, policy: Policy) -> Step | None:
    """Host or claim store differ from the stored ones, or the claims were moved away: `ConfigurationError`."""
    host, newest = snapshot.host, snapshot.newest
    if host is not None and host != policy.host:
        said = newest.claim_id if newest is not None and snapshot.current.document.origin is None else None
        return SettingsMismatch("TOKEN_ENDPOINT", host, policy.host, claim_id=said)
    store, ours = snapshot.claim_store, policy.claim_store
    fits = store is None or store == ours
    # After a fence the document names the old store until the move is complete.
    # A document that is newer than the fence knows better.
    moved_to = newest.moved_to if newest and snapshot.missing_claim_id is None else None
    if moved_to is not None and moved_to != ours:
        return SettingsMismatch("CLAIM_TABLE", moved_to, ours, moving=fits)
    return None if fits or store is None else SettingsMismatch("CLAIM_TABLE", store, ours)


def publish_newer_tokens(snapshot: Snapshot, run: RunState, _policy: Policy) -> Step | None:
    """The published copy is overwritten; or older, and this run promoted the tokens or it is 9 minutes old: publish."""
    document, published = snapshot.current.document, snapshot.published
    if not run.publishes or document.access_token is None or document.expires_at is None or snapshot.living:
        return None
    if published is not None:
        if published.version_id == published_version_id(snapshot.current.version_id):
            return None
        # Any read of the current version may be older than the copy. A run knows better what it promoted itself; and
        # what is no copy of ours can't be newer.
        promoted = run.promoted_version == snapshot.current.version_id and not snapshot.is_dead
        good = promoted or published.is_overwritten
        if not good and snapshot.now <= published.stored_at + SETTLED:
            return None
    return Publish()


def stop_at_used_token(snapshot: Snapshot, run: RunState, policy: Policy) -> Step | None:
    """The current token was used, its successor is gone: yield while reads may lag, then `ReauthorizationRequired`."""
    stored = snapshot.stored_attempt
    if stored is None:
        forgotten = TokenUsed(LONG_AGO) if is_forgotten(snapshot, policy) else None
        return _kept_tokens_locked(snapshot, run, policy) or forgotten
    if snapshot.locked:
        return (
            None
            if _may_repeat(snapshot, policy)
            else NextTokensUndecryptable(staged_version_id(stored.claim_id, stored.version_id))
        )
    visible_at = shown_at(stored, run.limit)
    return Wait(visible_at, Reason.STALE) if snapshot.now < visible_at else TokenUsed(stored.claimed_at)


def stop_at_rejected_grant(snapshot: Snapshot, run: RunState, policy: Policy) -> Step | None:
    """The provider rejected this token, and no retry is due: `ReauthorizationRequired`."""
    rejection, document = snapshot.rejection, snapshot.current.document
    # Who stored a response has its tokens: the token that was sent is used up, and its rejection says no more.
    if rejection is None or run.forces(snapshot) or snapshot.unread_responses:
        return None
    # The person who edited the document may have corrected the cause.
    retried_at = rejection_retried_at(snapshot.on_version, document, policy) if snapshot.on_version else snapshot.now
    retry_at = max(retried_at, _sendable_at(snapshot, policy))
    # Before its tokens are due nothing is sent. Their grant is dead all the same, so runs fail until then.
    due = None if _may_repeat(snapshot, policy) else due_at(document, policy)
    retry_at = max(retry_at, due or retry_at)
    return Rejected(rejection.claimed_at, retry_at) if snapshot.now < retry_at else None


def rest_while_fresh(snapshot: Snapshot, run: RunState, policy: Policy) -> Step | None:
    """Nothing is due: do nothing."""
    due = due_at(snapshot.current.document, policy)
    # A lost response is asked for again while the provider allows it: its grace may end before the next refresh is due.
    if due is None or snapshot.now >= due or run.forces(snapshot) or _may_repeat(snapshot, policy):
        return None
    # A forced run whose daily limit is reached must not look as if nothing had been asked of it.
    if run.wants(snapshot):
        return Wait(run.forced_from(snapshot), Reason.FORCED_LIMIT)
    return Fresh()


def wait_for_open_claim(snapshot: Snapshot, run: RunState, policy: Policy) -> Step | None:
    """A claim is open, so another run may be redeeming: yield; a forced run polls."""
    if snapshot.missing_claim_id is not None:
        # Reads of a table are consistent: a claim that is not there is lost. A version may only be invisible yet.
        if policy.claim_store.kind is ClaimStoreKind.TABLE:
            return replace_lost_table(snapshot, run, policy)
        visible_at = snapshot.current.stored_at + SETTLED
        if snapshot.now < visible_at:
            return Wait(visible_at, Reason.UNREADABLE)
    return Wait(snapshot.open_until, Reason.CLAIMED) if snapshot.open_until else None


def stop_at_unread_response(snapshot: Snapshot, run: RunState, policy: Policy) -> Step | None:
    """A response that can't be read is kept, and the grace is over or the token rejected: `ResponseKept`."""
    unread = snapshot.unread_responses
    if not unread or (run.names(snapshot) and run.forces(snapshot)):
        return None
    if _may_repeat(snapshot, policy) and snapshot.rejection is None:
        return None
    return StopAtUnread(unread[-1].claimed_at, unread[-1].claim_id)


def hold_unresolved_token(snapshot: Snapshot, run: RunState, policy: Policy) -> Step | None:
    """The token may be used, and the grace is over: `RefreshOutcomeUnknown` until the last quarter, forced or not.

    Where the expiry is unknown, as long as an access token lives.
    """
    unresolved = snapshot.unresolved
    if not unresolved or (run.names(snapshot) and run.forces(snapshot)):
        return None
    since = unresolved[0].claimed_at
    safe_at = held_until(snapshot.current.document, since, policy)
    if safe_at is None or may_be_sent_again(since, snapshot.now, snapshot.counted_grace(policy)):
        return None
    until = max(safe_at, _sendable_at(snapshot, policy))
    # A hold protects the access token. Once that is dead, rule 12 has what is left of a backoff.
    ends_at = snapshot.current.document.expires_at or safe_at
    return AwaitOutcome(since, until, unresolved[-1].claim_id) if snapshot.now < min(until, ends_at) else None


def wait_for_backoff(snapshot: Snapshot, run: RunState, policy: Policy) -> Step | None:
    """Attempts on this version failed, and the backoff or `Retry-After` is not over: yield."""
    until = _backoff_until(snapshot, policy)
    return Wait(until, Reason.BACKOFF) if snapshot.now < until and not run.forces(snapshot) else None


def wait_for_daily_limit(snapshot: Snapshot, _run: RunState, policy: Policy) -> Step | None:
    """Claims of the last 24 hours take as many versions of the secret as they may: yield, forced or not."""
    until = _claim_allowed_at(snapshot, policy)
    return Wait(until, Reason.DAILY_LIMIT) if snapshot.now < until else None


def redeem_once(snapshot: Snapshot, run: RunState, policy: Policy) -> Step:
    """No rule forbids a refresh: claim, redeem, store, make current."""
    if run.redeemed:
        return Wait(snapshot.now, Reason.REDEEMED)
    return Redeem(_next_claim(snapshot, run, policy), after=snapshot.newest_claim_id, kept_tokens=snapshot.kept_tokens)


class Rule(NamedTuple):
    """One row of the protocol's table."""

    check: Callable[[Snapshot, RunState, Policy], Step | None]
    reason: str


# The order matters: save what arrived, then everything that forbids a request, then the request.
RULES: Final = (
    Rule(store_kept_tokens, "stored tokens are never lost"),
    Rule(keep_living_set, "no dead token takes the place of one that may be alive"),
    Rule(forward_stored_tokens, "stored tokens are never lost"),
    Rule(refuse_other_settings, "no token goes to another host, and claims are in one place"),
    Rule(publish_newer_tokens, "consumers get the new tokens, and a stale read publishes no old ones"),
    Rule(stop_at_used_token, "a used token that is sent again could revoke the grant"),
    Rule(stop_at_rejected_grant, "spare the provider"),
    Rule(rest_while_fresh, "the token set is good"),
    Rule(wait_for_open_claim, "one redemption at a time"),
    Rule(stop_at_unread_response, "its tokens may be alive, and a replay may revoke the grant"),
    Rule(hold_unresolved_token, "a replay may revoke the grant"),
    Rule(wait_for_backoff, "spare the provider and the daily limit"),
    Rule(wait_for_daily_limit, "a full secret refuses new tokens"),
    Rule(redeem_once, "consumers need a valid token"),
)


def plan(snapshot: Snapshot, run: RunState, policy: Policy, rules: tuple[Rule, ...] = RULES) -> Step:
    """Return the step of the first rule that matches; the last one always does."""
    steps = (rule.check(snapshot, run, policy) for rule in rules)
    return next(step for step in steps if step is not None)


def _needs_kept_tokens(snapshot: Snapshot, kept: KeptTokens) -> bool:
    """Whether refused tokens are needed: not after a new consent, but by an edited copy of the set that they follow."""
    origin = snapshot.current.document.origin
    return origin is None or not origin.authorized or kept.claim.fingerprint == snapshot.fingerprint


def _may_repeat(snapshot: Snapshot, policy: Policy) -> bool:
    """Whether a request of unknown outcome may be sent again: the provider still accepts its token."""
    return repeat_allowed_until(snapshot, policy) is not None


def _kept_tokens_locked(snapshot: Snapshot, run: RunState, policy: Policy) -> KeptTokensLocked | None:
    """Stop for refused tokens that nobody can decrypt, unless the token that brought them may be sent again."""
    kept = snapshot.kept_tokens
    if kept is None or kept.version_id not in run.kept_tokens_locked or not _needs_kept_tokens(snapshot, kept):
        return None
    # What they are may be in the secret already: then only the item is left.
    if snapshot.ledger.attempts[-1].fate is Fate.STORED:
        return None
    own = kept.claim.fingerprint == snapshot.fingerprint
    return None if own and _may_repeat(snapshot, policy) else KeptTokensLocked()


def shown_at(stored: Attempt, limit: timedelta) -> datetime:
    """Say from when on each read shows what an attempt stored, by the time limit of its run."""
    return max(stored.claimed_at + limit + SETTLED, stored.retry_at or stored.claimed_at)


def is_forgotten(snapshot: Snapshot, policy: Policy) -> bool:
    """Whether the ledger has forgotten that the current token was used, unless it was issued within the grace."""
    grace = snapshot.counted_grace(policy)
    return snapshot.is_older_than_ledger and not may_be_sent_again(snapshot.issued_at, snapshot.now, grace)


def _sendable_at(snapshot: Snapshot, policy: Policy) -> datetime:
    """Say when a run would really send: one before that would only wait again."""
    return max(_backoff_until(snapshot, policy), _claim_allowed_at(snapshot, policy))


def _backoff_until(snapshot: Snapshot, policy: Policy) -> datetime:
    document, newest = snapshot.current.document, snapshot.on_version[-1:]
    asked = (until(attempt, document, policy) for attempt in newest for until in (next_attempt_at, asked_until))
    return max(asked, default=snapshot.now)


def _claim_allowed_at(snapshot: Snapshot, policy: Policy) -> datetime:
    return snapshot.ledger.room_at(VERSIONS_A_DAY - VERSIONS_A_CLAIM[policy.claim_store.kind], snapshot.now)


def _next_claim(snapshot: Snapshot, run: RunState, policy: Policy) -> Claim:
    grace = snapshot.counted_grace(policy)
    return replace(
        snapshot.next_claim(policy.claim_store, fate=Fate.NO_RESULT, nonce=run.nonce),
        version_id=snapshot.current.version_id,
        attempt_number=max((a.attempt_number for a in snapshot.on_version), default=0) + 1,
        fingerprint=snapshot.fingerprint,
        forced=run.forces(snapshot),
        time_to_live=claim_time_to_live(run.limit, window_of(snapshot.current.document, policy), grace),
        host=policy.host,
        grace=grace,
        versions=VERSIONS_A_CLAIM[policy.claim_store.kind],
        pause=pause_of(snapshot),
    )


def replace_lost_table(snapshot: Snapshot, run: RunState, policy: Policy) -> ReplaceLostTable:
    """Append a claim that nobody holds, and list the claims that the lost table may have held as attempts.

    They count from when the tokens were issued: the provider's grace may have begun then. Copies are stored later.
    What else the table knew is lost, and the mark says so: who goes back to older tokens may find used ones.
    """
    current, following = snapshot.current, _next_claim(snapshot, run, policy)
    lost = [
        Attempt(
            claim_id=following.claim_id,
            version_id=following.version_id,
            attempt_number=1,
            claimed_at=min(current.stored_at, snapshot.issued_at),
            fingerprint=following.fingerprint,
            versions=following.versions,
        )
    ]
    while len(lost) < LOST_CLAIMS:
        lost.append(replace(lost[-1], claim_id=claim_version_id(lost[-1].claim_id)))
    claim = replace(
        following,
        claim_id=unheld_claim_id(run.nonce),
        attempt_number=1,
        forced=False,
        number=following.number + LOST_CLAIMS,
        earlier=(*following.earlier, missing_attempts(following.claim_id), *lost),
    )
    return ReplaceLostTable(claim, snapshot.newest.claim_id if snapshot.newest else None, snapshot.kept_tokens)
