"""When runs start and alarms ring: before the token expires, and not for one run that is late or missing.

What is known of CloudWatch: an alarm is evaluated each minute over a sliding window of its periods. Where data is
missing, it looks further back, and takes a missing point only in place of one that it lacks.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from token_refresh.stored.refresh_window import LATE_START, SEEN_AFTER, overdue_below
from token_refresh_worker.core.schedule import RUNS_IN_WINDOW, SETTLED

INGESTED_SECONDS: Final = 60
EVALUATED_SECONDS: Final = 60
"""As in `SEEN_AFTER`."""
EXTRA_POINTS: Final = 2
"""How many periods further back an alarm looks: AWS's example has five for an alarm of three."""

_MINUTE = 60
_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingRunLimit:
    """How many periods of which length must have no run."""

    periods: int
    period_seconds: int

    @property
    def rings_after_seconds(self) -> int:
        """How long after the last run the alarm is raised, at the latest."""
        return (self.periods + EXTRA_POINTS) * self.period_seconds + max(EVALUATED_SECONDS, self.period_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTiming:
    """What follows from the window and the schedule."""

    window_seconds: int
    run_every_seconds: int
    start_within_seconds: int

    @property
    def overdue_below_seconds(self) -> int:
        """Return below which remaining life the alarm is raised."""
        window, period = self.window_seconds, self.run_every_seconds + self.start_within_seconds
        return int(overdue_below(timedelta(seconds=window), timedelta(seconds=period)).total_seconds())

    @property
    def silence(self) -> MissingRunLimit:
        """Return when no run at all is an alarm: one that is missing, and a late one after it, are none."""
        longest = self.run_every_seconds + self._gap_seconds + INGESTED_SECONDS
        period = next(
            seconds for seconds, at_most in ((60, 7200), (300, _DAY - 900), (3600, 7 * _DAY)) if longest <= at_most
        )
        return MissingRunLimit(periods=-(-longest // period) + 1, period_seconds=period)

    @property
    def rings_in_time(self) -> bool:
        """Whether both alarms are raised before the token expires."""
        overdue = self._gap_seconds + SEEN_AFTER.seconds
        return overdue <= self.overdue_below_seconds and self.silence.rings_after_seconds < self.window_seconds

    @property
    def _gap_seconds(self) -> int:
        """The longest time between the starts of two runs."""
        return self.run_every_seconds + self.start_within_seconds + LATE_START.seconds


def longest_gap_minutes(window_seconds: int, grace_seconds: int, claim_seconds: int) -> int:
    """Return how long the time between two runs may be, so that enough runs fit, and alarms ring in time.

    They fit into the refresh window, and into a grace that outlives the claim of a run that died. After a run that died
    when the token was due, another one begins before the expiry: once its claim has ended, and in the last quarter.
    """
    failing = 2 * LATE_START.seconds + SEEN_AFTER.seconds
    silent = LATE_START.seconds + INGESTED_SECONDS + (1 + EXTRA_POINTS) * _MINUTE + EVALUATED_SECONDS + 1
    for_alarms = (window_seconds - max(failing, silent)) // 2
    shortest = min(window_seconds, grace_seconds) if grace_seconds > SETTLED.seconds else window_seconds
    after_death = int(min(window_seconds / 4, (window_seconds - claim_seconds) / 2)) - LATE_START.seconds
    return max(1, min(shortest // RUNS_IN_WINDOW, for_alarms, after_death) // _MINUTE)
