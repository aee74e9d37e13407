"""When things are due: the refresh of a token set, and the next attempt after one that failed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from token_refresh.core.claims import Claim, ClaimEntry
from token_refresh.stored.document import TokenDocument

FIRST_BACKOFF: Final = timedelta(minutes=2)
LONGEST_BACKOFF: Final = timedelta(hours=1)

CLAIMS_A_DAY: Final = 70
"""Two versions are written for each claim, and Secrets Manager sustains one write in 10 minutes: 144 a day.
A secret that is full would refuse the staged tokens, after the redemption."""

DAY: Final = timedelta(hours=24)
"""Secrets Manager prunes no version that is younger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is configured about time."""

    refresh_window: timedelta
    """How long before expiry a token set is due; cut to a third of its lifetime, where that is known."""
    replay_grace: timedelta
    """How long the provider accepts a refresh token after it was redeemed; zero for single use."""
    claim_time_to_live: timedelta


def due_at(document: TokenDocument, policy: Policy) -> datetime | None:
    """Say from when on a token set is due; None means at once, since it has no access token or no expiry."""
    if document.access_token is None or document.expires_at is None:
        return None
    return document.expires_at - _window(document, policy)


def held_until(document: TokenDocument, policy: Policy) -> datetime | None:
    """Say when a held refresh may be attempted again: in the last quarter of the window before expiry.

    A replay may make the provider revoke the access token that consumers still use; by then they lose little.
    """
    if document.access_token is None or document.expires_at is None:
        return None
    return document.expires_at - _window(document, policy) / 4


def next_attempt_at(newest: ClaimEntry) -> datetime:
    """Say when the attempt after `newest` on the same version may be claimed, once its claim has ended.

    The second follows at once; from the third on each waits twice as long as the one before, up to an hour.
    """
    if newest.attempt < 2:  # noqa: PLR2004 - the second attempt is the one that does not wait
        return newest.claimed_at
    doublings = min(newest.attempt - 2, 10)  # beyond ten the hour has long been reached
    return newest.claimed_at + min(FIRST_BACKOFF * (1 << doublings), LONGEST_BACKOFF)


def may_be_sent_again(since: datetime, now: datetime, policy: Policy) -> bool:
    """Say whether the provider still accepts a refresh token that may have been redeemed at `since`.

    Without a grace period never: the service tells the time in whole seconds, so `now` can lie before `since`.
    """
    return policy.replay_grace > timedelta(0) and now < since + policy.replay_grace


def claim_allowed_at(newest: Claim | None, now: datetime) -> datetime:
    """Say when another claim fits into the daily limit; `now` where it fits already."""
    recent = [e.claimed_at for e in (newest.chain if newest else ()) if e.claimed_at > now - DAY]
    return now if len(recent) < CLAIMS_A_DAY else sorted(recent)[-CLAIMS_A_DAY] + DAY


def _window(document: TokenDocument, policy: Policy) -> timedelta:
    lifetime = document.lifetime
    return policy.refresh_window if lifetime is None else min(policy.refresh_window, lifetime / 3)
