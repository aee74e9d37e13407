"""The refresh window: how long before its expiry a token set is due, and from when on a refresh is overdue.

Worker, deployment and reader follow it.
"""

from datetime import timedelta
from typing import Final

DEFAULT_WINDOW: Final = timedelta(hours=8)
"""The window of a provider whose profile has none."""

LATE_START: Final = timedelta(minutes=1)
"""EventBridge Scheduler starts a target within the minute, after its flexible window."""

SEEN_AFTER: Final = timedelta(seconds=90 + 60 + 60)
"""Until a run that fails is seen: the default timeout, and a minute each until CloudWatch has a value and looks."""

LARGEST_PART: Final = 1 / 3
"""The part of a token's life that the window is cut to, so that a token is used for most of its life."""


def refresh_window(configured: timedelta, lifetime: timedelta | None) -> timedelta:
    """Return how long before expiry tokens are due: as configured, but at most a part of their life, if it is known."""
    return configured if lifetime is None else min(configured, lifetime * LARGEST_PART)


def overdue_below(window: timedelta, period: timedelta | None) -> timedelta:
    """Return with how much left of a token's life its refresh is overdue, and the alarm `renewal-overdue` is raised.

    Half of the window, or more if runs that fail would be seen too late; never where one failed run leads to. `period`
    is the longest time between two runs of a schedule; None in a fleet, which looks each minute.
    """
    if period is None:
        return window / 2
    gap = period + LATE_START
    return min(max(window / 2, gap + SEEN_AFTER), window - gap)
