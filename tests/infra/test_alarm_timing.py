"""When the alarms ring: CloudWatch's documented rules, played against the worst schedule that each profile may have."""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.test_alarms import measured
from infra.test_providers import DEPLOYABLE, read
from testbed.synthesis import synthesise
from token_refresh_infra.single.timing import AlarmTiming

LATE, RUN, INGESTED, EXTRA = 60, 90, 60, 2
"""Seconds that a start is late, a run takes, and a value takes to arrive; periods that an alarm looks further back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatch:
    """One alarm that all of its points must breach, where a missing point breaches, over a sliding window."""

    periods: int
    period: int
    extra: int

    def rings(self, runs: Iterable[int], now: int) -> bool:
        """Whether the alarm is up, with runs that it knows of; a real point is within bounds."""
        end = now // 60 * 60
        reach = (self.periods + self.extra) * self.period
        return not any(end - reach <= run < end for run in runs)

    def first(self, runs: Iterable[int], *, phase: int, until: int) -> int | None:
        """Return when it rings first; it looks once in a minute."""
        step = 60 if self.period < 3600 else 3600
        return next((now for now in range(phase, until, step) if self.rings(runs, now)), None)


@functools.cache
def rings_at(timing: AlarmTiming) -> tuple[int, int]:
    """Return how many seconds after tokens are due each alarm rings at the latest: runs fail, and runs end."""
    starts = (n * timing.run_every_seconds + timing.start_within_seconds + LATE for n in range(1, 10_000))
    reported = (start + RUN for start in starts)
    low = next(at for at in reported if timing.window_seconds - at < timing.overdue_below_seconds)
    seen = low + INGESTED + 60

    silence = timing.silence
    alarm = CloudWatch(periods=silence.periods, period=silence.period_seconds, extra=EXTRA)
    stopped = [
        alarm.first([start], phase=start + phase, until=10**7) or 10**7 for start in (0, 59) for phase in (1, 30, 60)
    ]
    return seen, max(stopped)


@pytest.mark.parametrize("name", DEPLOYABLE)
def test_when_an_alarm_rings(name: str) -> None:
    """Of every profile, an alarm rings while the tokens live, and not for one late or missing run."""
    timing = read(name, claim_table="create").alarm_timing
    assert max(rings_at(timing)) < timing.window_seconds
    assert timing.rings_in_time
    silence, every = timing.silence, timing.run_every_seconds
    alarm = CloudWatch(periods=silence.periods, period=silence.period_seconds, extra=0)
    late = 2 * every + timing.start_within_seconds + LATE

    for start in (0, 59):
        for phase in (1, 30, 60):
            before = [start - n * every for n in range(4)]
            assert alarm.first(before, phase=start + phase, until=start + late + INGESTED) is None
    once_failed = timing.window_seconds - (every + timing.start_within_seconds + LATE)
    assert once_failed >= timing.overdue_below_seconds


def test_what_a_person_schedules_may_be_too_seldom(code: Path) -> None:
    """A schedule with which an alarm rings after the token has expired is deployed, with a warning."""
    values: dict[str, Any] = {"environment": "prod", "provider": "xero", "claim_table": "create", "alarm_email": "a@b"}
    seldom, often = (synthesise(values | {"schedule_minutes": minutes}, code) for minutes in (3, 1))

    assert [False, True] == [d.parameters.alarm_timing.rings_in_time for d in (seldom, often)]
    assert "too seldom for an alarm" in " ".join(seldom.warnings)
    assert [] == often.warnings


def test_a_life_that_nobody_states(code: Path) -> None:
    """A deployment that assumes a day is warned of; the profile or the deployment may state the life."""
    values: dict[str, Any] = {"environment": "prod", "alarm_email": "a@b", "provider": "generic"}
    values |= {"token_endpoint": "https://idp.example/token"}
    assumed, given, known = (
        synthesise(values | more, code).warnings
        for more in ({}, {"token_lifetime_seconds": 3600}, {"provider": "xero", "claim_table": "create"})
    )

    assert "neither this deployment nor the profile generic says how long" in " ".join(assumed)
    assert [[], []] == [given, known]


def test_the_deployed_alarms_are_these(code: Path) -> None:
    """The template has the thresholds and periods that the arithmetic is about."""
    deployment = synthesise({"environment": "prod", "provider": "xero", "claim_table": "create"}, code)
    timing = deployment.parameters.alarm_timing

    overdue, silent = measured(deployment, "renewal-overdue"), measured(deployment, "runs-failing-silence")
    assert (timing.overdue_below_seconds, "LessThanThreshold") == (overdue["Threshold"], overdue["ComparisonOperator"])
    assert ("SecondsToExpiry", "Minimum", "ignore", 300, 1, 1) == tuple(
        overdue[name]
        for name in ("MetricName", "Statistic", "TreatMissingData", "Period", "EvaluationPeriods", "DatapointsToAlarm")
    )
    expected = (timing.silence.period_seconds, timing.silence.periods)
    assert expected == (silent["Period"], silent["EvaluationPeriods"])
    assert ("AWS/Lambda", "Invocations", "breaching", "LessThanThreshold", 0) == tuple(
        silent[name] for name in ("Namespace", "MetricName", "TreatMissingData", "ComparisonOperator", "Threshold")
    )
    assert f"none started for {expected[0] * expected[1] // 60} minutes" in json.dumps(
        deployment.one("CloudWatch::CompositeAlarm")["AlarmDescription"]
    )
