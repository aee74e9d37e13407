"""When things are due: the refresh of a token set, and the next attempt after one that failed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from token_refresh.stored.access_token import believed_expiry
from token_refresh.stored.refresh_window import LARGEST_PART, refresh_window
from token_refresh.stored.times import is_possible
from token_refresh_worker.core.attempts import CLOCK_ERROR, DAY, Attempt, Fate
from token_refresh_worker.providers.lifetime import LIFETIMES_STATED, claims_a_day
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, Origin, StoreName, ending_at

FIRST_BACKOFF: Final = timedelta(minutes=2)
LONGEST_BACKOFF: Final = timedelta(hours=1)
LONGEST_BACKOFF_IN_TABLE: Final = timedelta(minutes=10)
"""While nothing was redeemed, and such an attempt takes no version of the secret: a host that is back is found soon."""
ATTEMPTS_IN_TABLE: Final = 24
"""So many of them wait for ten minutes at most, so that a long outage leaves room for a day's refreshes."""

STALENESS: Final = timedelta(minutes=5)
"""How old a read of Secrets Manager may be. AWS documents eventual consistency and no bound; this is an assumption."""
CLOCKS_APART: Final = timedelta(minutes=4)
"""How far the clocks of AWS may be apart: another assumption."""
SETTLED: Final = STALENESS + CLOCKS_APART
"""After this time, by any clock of AWS, every read shows a write."""
LARGEST_PART_OF_WINDOW: Final = 0.55
"""The part of the refresh window to which a claim's life is cut: after a run that died, another one is in time."""
LEAST_MARGIN: Final = timedelta(seconds=30)
"""By how much a claim outlives its run at least, however short a token lives."""

LONGEST_GRANT_WINDOW: Final = timedelta(days=28) * LARGEST_PART
"""How long before its grant's end a token set is due at most: a grant of four weeks has its last third for it."""

RUNS_IN_WINDOW: Final = 3
"""How often a schedule runs at least while a refresh is due, so that one missed or failed run costs nothing."""
LONGEST_PERIOD: Final = timedelta(minutes=40)
"""The longest time between two runs of a schedule that nobody has changed."""

LIFETIMES_DOUBTED: Final = 2
"""An expiry that is further ahead when it is stored is a mistake, so that its token may be dead already."""

FORCED_CLAIMS_A_DAY: Final = 12
"""How many of a day's claims a caller of the function may force: the rest is left for scheduled runs."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Policy:
    """What is configured about one secret."""

    refresh_window: timedelta
    """How long before expiry a token set is due, before `refresh_window` cuts it."""
    replay_grace: timedelta
    """How long the provider accepts a refresh token after it was redeemed; zero for single use."""
    host: str
    """The host of the token endpoint."""
    claim_store: StoreName = IN_VERSIONS
    lifetime: timedelta | None = None
    """How long access tokens live, as the deployment says, else as documented."""
    idle: timedelta | None = None
    """Without a refresh for this long, the grant ends."""
    token_is_grant: bool = False
    """Whether a refresh redeems the access token, so that the grant ends with it."""


def known_lifetime(document: TokenDocument, policy: Policy) -> timedelta | None:
    """Return how long access tokens live: as the token set says, else as the policy does."""
    return (document.origin.lifetime if document.origin else None) or policy.lifetime


def believed(document: TokenDocument, stored_at: datetime, policy: Policy) -> TokenDocument:
    """Return a document as far as it is believed, and its fields: what is stored again renews no doubt.

    Nothing is issued, learned or seen after it was stored. An expiry that can't be true is unknown, and what is written
    in its place is what readers believe.
    """
    if document.origin is not None:
        document = replace(document, origin=_believed_origin(document.origin, stored_at + CLOCK_ERROR))
    stated, known = document.expires_at, known_lifetime(document, policy)
    expires_at, issued_at, doubted = stated, document.issued_at, False
    if issued_at is not None and not is_possible(issued_at, latest=stored_at):
        issued_at = stored_at
    if stated is not None and known is not None:
        # What an older release's run wrote must pass, or an upgrade would refresh all: it doesn't say its lifetime.
        is_older = document.origin is not None and document.origin.lifetime is None
        latest = stored_at + (LIFETIMES_STATED if is_older else LIFETIMES_DOUBTED) * known
        doubted = not is_possible(stated, latest=latest)
        expires_at = stated if is_older and not doubted else believed_expiry(stated, stored_at, known)
    if (expires_at, issued_at) == (stated, document.issued_at):
        return document
    told = document.dated(expires_at, issued_at)
    return replace(told, expires_at=None, doubted_expiry=stated) if doubted else told


def _believed_origin(origin: Origin, latest: datetime) -> Origin:
    """Return the bookkeeping without what it dates later than that."""
    asked, foreign, began_at = origin.asked, origin.foreign, origin.grant_began_at
    return replace(
        origin,
        asked=asked if asked is not None and is_possible(asked.at, latest=latest) else None,
        foreign=foreign if foreign is not None and is_possible(foreign.stored_at, latest=latest) else None,
        grant_began_at=began_at if began_at is not None and is_possible(began_at, latest=latest) else None,
    )


def due_at(document: TokenDocument, policy: Policy) -> datetime | None:
    """Say from when on a token set is due; None means at once, since it has no access token or no expiry."""
    return min((end.due_at for end in _ends_of(document, policy)), default=None)


class _End(NamedTuple):
    """When a token set must be replaced by, and how long before that it is due."""

    at: datetime
    window: timedelta
    asked_left: timedelta | None = None
    is_grant: bool = False
    """Whether the grant ends with it, so that a refresh at the end comes too late."""

    @property
    def due_at(self) -> datetime:
        """From when on it is due: from the window's beginning on, or where a refresh then was in vain, a later time.

        That is the first of the last quarter's beginning and the end with less left than the refresh in vain had; of a
        grant, the last quarter of the last quarter, and so on, until only one run may be left.
        """
        left, in_vain = self.window, self.asked_left
        # Nothing is left at the end itself, however much there was in vain.
        while in_vain is not None and left >= in_vain and left > timedelta(0):
            left /= 4
        if self.is_grant:
            return self.at - max(left, min(self.window, LONGEST_PERIOD))
        return self.at - (left if left >= self.window / 4 else timedelta(0))


def _ends_of(document: TokenDocument, policy: Policy) -> list[_End]:
    """List the ends that a refresh moves: of the access token, and of its grant; none without token or expiry.

    A refresh token may end before its access token, or because nobody uses it. Where the last refresh did not move the
    end, none will, and each run would refresh in vain.
    """
    origin, expires_at, used_at = document.origin, document.expires_at, document.used_at
    if document.access_token is None or expires_at is None:
        return []
    window, is_grant = _window_of_token(document, policy), policy.token_is_grant
    ends = [_End(expires_at, window, _asked_left(document), is_grant=is_grant)]
    began_at, ends_at = (origin.grant_began_at, origin.grant_ends_at) if origin else (None, None)
    # By when a run's tokens were issued: another job's leave that as it was, and may not have moved the end.
    moved = began_at is not None and document.issued_at is not None and began_at >= document.issued_at
    # An end that had passed before the token was stored is none of this token's.
    if moved and began_at is not None and ends_at is not None and used_at is not None and ends_at > used_at:
        ends.append(_End(ends_at, min((ends_at - began_at) * LARGEST_PART, LONGEST_GRANT_WINDOW)))
    if policy.idle is not None and used_at is not None:
        ends.append(_End(used_at + policy.idle, min(policy.idle * LARGEST_PART, LONGEST_GRANT_WINDOW)))
    return ends


def _asked_left(document: TokenDocument) -> timedelta | None:
    """Return what was left when a refresh was in vain; None if no run learned it of these tokens.

    Another job may replace the tokens and leave the rest of the document as it was.
    """
    asked = document.origin.asked if document.origin else None
    issued_at, used_at = document.issued_at, document.used_at
    if asked is None or issued_at is None or used_at is None or used_at > issued_at:
        return None
    return asked.left


class GrantEnd(NamedTuple):
    """When a grant ends that is not refreshed again. Of two, the earlier one is the smaller."""

    at: datetime
    ending_at: datetime
    """When to say so."""
    is_idle: bool = False
    """Whether it ends since nobody uses it: each refresh moves this end."""


def grant_ends(document: TokenDocument, stored_at: datetime, policy: Policy) -> list[GrantEnd]:
    """List the known ends of a grant, passed or not. A stated one may be wrong, and the grant live on."""
    origin, used_at = document.origin, document.used_at or stored_at
    ends = []
    if origin is not None and origin.grant_ends_at is not None:
        ends.append(GrantEnd(origin.grant_ends_at, ending_at(origin.grant_ends_at, origin.grant_began_at)))
    unused = [] if policy.idle is None else [used_at + policy.idle]
    if policy.token_is_grant and document.access_token is not None:
        known = known_lifetime(document, policy)
        ends_at = document.expires_at or (stored_at + known if known else None)
        unused += [ends_at] if ends_at else []
    ends.extend(GrantEnd(end, ending_at(end, used_at), is_idle=True) for end in unused)
    return ends


def grant_end(document: TokenDocument, stored_at: datetime, policy: Policy) -> GrantEnd | None:
    """Return the earliest end of a grant, passed or not; None if nobody knows one."""
    return min(grant_ends(document, stored_at, policy), default=None)


def run_period(document: TokenDocument, policy: Policy) -> timedelta:
    """Return the longest time between two runs of the schedule that a deployment has by default."""
    return min(LONGEST_PERIOD, window_of(document, policy) / RUNS_IN_WINDOW)


def last_quarter_at(document: TokenDocument, policy: Policy) -> datetime | None:
    """Say when the last quarter of the window begins; None if there is nothing to lose any more.

    A replay may make the provider revoke the access token that consumers still use; by then they lose little.
    """
    return min((end.at - end.window / 4 for end in _ends_of(document, policy)), default=None)


def held_until(document: TokenDocument, since: datetime, policy: Policy) -> datetime | None:
    """Say how long not to send a token again that may have been redeemed at `since`; None if nothing can be lost.

    Of an access token whose expiry is unknown, as long as it can live: without that, each run would send the token.
    """
    if document.access_token is not None and document.expires_at is None:
        return since + (known_lifetime(document, policy) or DAY)
    return last_quarter_at(document, policy)


def claim_time_to_live(run_limit: timedelta, window: timedelta, grace: timedelta = timedelta(0)) -> timedelta:
    """Return how long a claim lives: until all reads show what its run stored, where the token's life allows it.

    A claim from the beginning of the refresh window ends before the window's last quarter, and early enough in the
    provider's grace for the request of a run that died to be repeated. But it always outlives its run.
    """
    longest = min(run_limit + SETTLED, window * LARGEST_PART_OF_WINDOW)
    # A shorter grace may be over before all reads show that there is nothing to repeat.
    return max(run_limit + LEAST_MARGIN, min(longest, grace / 4) if grace > SETTLED else longest)


def next_attempt_at(newest: Attempt, document: TokenDocument, policy: Policy) -> datetime:
    """Say when the attempt after `newest` on the same version may be claimed, once its claim has ended.

    The second follows at once; from the third on each waits twice as long as the one before, up to an hour.
    With claims in a table, and where nothing was redeemed, up to ten minutes for the first attempts. The last wait
    leaves time for one more attempt before tokens or grant end: a fifth of the window's last quarter.
    """
    if newest.attempt_number < 2:  # noqa: PLR2004 - the second attempt is the one that does not wait
        return newest.claimed_at
    doublings = min(newest.attempt_number - 2, 10)  # beyond ten the hour has long been reached
    in_table = policy.claim_store.kind is ClaimStoreKind.TABLE and newest.fate is Fate.NOT_REDEEMED
    soon = in_table and newest.attempt_number <= ATTEMPTS_IN_TABLE
    longest = LONGEST_BACKOFF_IN_TABLE if soon else LONGEST_BACKOFF
    until = newest.claimed_at + min(FIRST_BACKOFF * (1 << doublings), longest)
    last_try_at = min((end.at - end.window / 20 for end in _ends_of(document, policy)), default=until)
    return min(until, last_try_at) if newest.claimed_at < last_try_at else until


def asked_until(newest: Attempt, document: TokenDocument, policy: Policy) -> datetime:
    """Say until when the provider asked to wait: a day at most, and never past the last quarter of the window."""
    quarter = last_quarter_at(document, policy)
    limits = (newest.retry_at or newest.claimed_at, newest.claimed_at + DAY, quarter)
    return min(limit for limit in limits if limit is not None)


def rejection_retried_at(on_version: Sequence[Attempt], document: TokenDocument, policy: Policy) -> datetime:
    """Return when to send a rejected refresh token again, because one `invalid_grant` may be wrong.

    One hour after the first rejection on this version, one day after a later one. If the last quarter of the window
    begins before that, then at its beginning, once.
    """
    rejected_at = on_version[-1].claimed_at
    if on_version[-1].fate is not Fate.REJECTED:
        return rejected_at  # That was the retry, and it got no verdict.
    first = sum(a.fate is Fate.REJECTED for a in on_version) == 1
    retried_at = rejected_at + (timedelta(hours=1) if first else DAY)
    quarter = last_quarter_at(document, policy)
    # Once: a rejection in the quarter was that retry.
    return min(retried_at, quarter) if quarter is not None and rejected_at < quarter else retried_at


def may_be_sent_again(since: datetime, now: datetime, grace: timedelta) -> bool:
    """Say whether the provider still accepts a refresh token that may have been redeemed at `since`.

    Without a grace period never: the service gives the time in whole seconds, so `now` can lie before `since`.
    """
    return grace > timedelta(0) and now < since + grace


def lifetime_too_short(document: TokenDocument, policy: Policy) -> bool:
    """Say whether tokens fall due more often than the claim store allows."""
    due, issued_at = due_at(document, policy), document.issued_at
    if due is None or issued_at is None or document.lifetime is None:
        return False
    # Tokens fall due each time this has passed, and each time costs a claim.
    return (due - issued_at) * claims_a_day(policy.claim_store.kind) < DAY


def window_of(document: TokenDocument, policy: Policy) -> timedelta:
    """Return how long a token set is due before it must be replaced: the shortest window of its ends."""
    return min((end.window for end in _ends_of(document, policy)), default=_window_of_token(document, policy))


def _window_of_token(document: TokenDocument, policy: Policy) -> timedelta:
    lifetime = document.lifetime or policy.lifetime
    window = refresh_window(policy.refresh_window, lifetime)
    if lifetime is None or not policy.token_is_grant:
        return window
    return max(window, min(lifetime * LARGEST_PART, LONGEST_GRANT_WINDOW))
