"""A simulated month of a fleet, and the template's alarms as a small model of CloudWatch evaluates them."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fleet.rows import arn, failed, row, seen
from infra.cloudwatch import ModelAlarm, alarms_of
from infra.conftest import FLEET
from testbed.builders import DAY, HOUR, MINUTE, NOW, attempt, document, policy
from testbed.synthesis import resources, synthesise
from token_refresh_infra.single.timing import EXTRA_POINTS
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.schedule import rejection_retried_at
from token_refresh_worker.fleet.core.breaker import STORE, STORE_PROBES, STORE_QUIET, Breaker, BreakerReason
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG, TaggedSecret, Tombstone, compare_index
from token_refresh_worker.fleet.core.fleet import FIRST_WAIT, Decision, Fleet
from token_refresh_worker.fleet.core.gauges import NEW_FOR, measure, members_left
from token_refresh_worker.fleet.core.row import Pause, Pauses, Row, State

SIZE = 1000
MONTH = 30 * DAY
SECOND = timedelta(seconds=1)
OF_AWS = {"store-refuses", "worker-unheard", "table-failing"}
BEHIND = timedelta(minutes=5)
"""How late `ListSecrets` may be."""

Templates = list[dict[str, Any]]


@pytest.fixture(scope="session")
def templates(code: Path) -> Templates:
    """The alarms as they are deployed."""
    return resources(synthesise(FLEET, code).template, "CloudWatch::Alarm")


def living(number: int) -> Row:
    """A member whose tokens outlive the month."""
    found = seen(due_at=NOW + 2 * MONTH, expires_at=NOW + 3 * MONTH)
    return row(f"c/{number}", found=found, next_at=NOW + 2 * MONTH, provider=f"p{number % 5}")


def short(number: int, now: datetime) -> Row:
    """A member whose one-hour token was refreshed at this time."""
    found = seen(at=now, due_at=now + 40 * MINUTE, expires_at=now + HOUR)
    return row(f"c/{number}", found=found, next_at=now + 40 * MINUTE, provider=f"p{number % 5}")


def dead(number: int, now: datetime) -> Row:
    """A member whose grant died now."""
    return row(
        f"c/{number}", found=replace(failed("ReauthorizationRequired", at=now), state=State.REAUTHORIZE, since=now)
    )


@dataclass(slots=True)
class Month:
    """A fleet that is quiet by itself: rows, a clock, and the alarms that watch them."""

    alarms: dict[str, ModelAlarm]
    rows: dict[str, Row] = field(default_factory=lambda: {arn(f"c/{n}"): living(n) for n in range(SIZE)})
    tombstones: dict[str, Tombstone] = field(default_factory=dict)
    pauses: Pauses = field(default_factory=Pauses)
    breakers: frozenset[str] = frozenset()
    store_refuses: bool = False
    unheard_since: datetime | None = None
    untagged: dict[str, datetime] = field(default_factory=dict)
    """Since when secrets have lost their tag."""
    minute: int = 0
    crashes: int = 0
    """Runs that crash in each minute, beside those of the one that always does."""
    table_failures: int = 0
    """Calls of DynamoDB that fail in each minute."""
    gauges: Mapping[str, float] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return NOW + self.minute * MINUTE

    def put(self, *rows: Row) -> None:
        self.rows |= {found.secret_arn: found for found in rows}

    def again(self) -> "Month":
        """Return another month that goes on from here; its rows, which nothing changes, are the same."""
        return deepcopy(self, {id(self.rows): dict(self.rows)})

    def live(self, duration: timedelta, *, step: timedelta, also: Callable[[int], Mapping[str, float]]) -> None:
        """Let time pass, measure rows once a step, and report each minute, with what the functions `also` report."""
        end, every = self.minute + duration // MINUTE, step // MINUTE
        while self.minute < end:
            if self.minute % every == 0:
                self.gauges = self._measures()
            listed = self._resync() if self.minute % 5 == 0 else {}
            failing = {"WorkerErrors": self.crashes, "TableUnavailable": self.table_failures}
            others = {**also(self.minute), **{name: count for name, count in failing.items() if count}}
            for alarm in self.alarms.values():
                alarm.minute(self.minute, self.gauges, listed, others)
            self.minute += 1

    def _measures(self) -> Mapping[str, float]:
        breaker = Breaker(reason=BreakerReason.NO_RESPONSE, allowed=0)
        breakers = dict.fromkeys(self.breakers | ({STORE} if self.store_refuses else set()), breaker)
        unheard = self.unheard_since
        decision = Decision(seconds=[], breakers=breakers, under_way=0, waiting=0, unheard_since=unheard)
        fleet = Fleet(rows=list(self.rows.values()), pauses=self.pauses)
        return measure(fleet, decision, self.now, tombstones=self.tombstones.values())

    def _resync(self) -> Mapping[str, float]:
        """Do what the resync does, with a listing that is as late as it may be."""
        lost = {name for name, since in self.untagged.items() if since <= self.now - BEHIND}
        if not lost & self.rows.keys():
            return {}
        tags = {FLEET_TAG: "prod"}
        listed = [TaggedSecret(secret_arn=n, tags=tags, changed_at=None) for n in self.rows if n not in lost]
        found = compare_index(listed, self.rows.values(), fleet="prod", now=self.now)
        for gone in found.remove:
            del self.rows[gone.secret_arn]
            stone = Tombstone(secret_arn=gone.secret_arn, provider="p", left_at=self.now, quietly=False)
            self.tombstones[gone.secret_arn] = stone
        return members_left(found.not_believed, found.size)

    def on(self) -> dict[str, list[tuple[int, int]]]:
        """Say which alarms were on, and when."""
        return {name: alarm.on for name, alarm in self.alarms.items() if alarm.on}


def one_customer(minute: int) -> Mapping[str, float]:
    """What runs report of a secret that can't be written, of one whose provider is slow, and of one that crashes."""
    crashes = {"WorkerErrors": 1} if minute % 24 == 0 else {}
    return crashes | ({"TokensKept": 1, "SecondsAfterDue": 900} if minute % 60 == 0 else {"SecondsAfterDue": 5})


def live_through_single_troubles(month: Month) -> None:
    """Let customers have troubles of their own for a month, in a fleet in which 1 % of the grants are dead already."""
    month.put(*[dead(number, NOW - 9 * DAY) for number in range(100, 100 + SIZE // 100)])
    month.put(row("c/3", found=replace(failed("ClientRejected", at=NOW, state=State.ERROR), since=NOW)))
    month.put(row("c/4", found=failed("TokenEndpointUnavailable", at=NOW), provider="gone"))
    month.put(replace(short(5, NOW), pause=Pause(at=NOW, until=NOW + 31 * DAY, by="me", why="their wish")))
    month.breakers = frozenset({"gone"})
    month.live(6 * HOUR, step=5 * MINUTE, also=one_customer)
    for day in range(MONTH // DAY):
        if day % 2:
            month.put(dead(10 + day, month.now))
        else:
            month.untagged[arn(f"c/{10 + day}")] = month.now
        month.live(DAY, step=6 * HOUR, also=one_customer)


@pytest.fixture(scope="session")
def quiet(templates: Templates) -> "Month":
    """A month with nothing but the troubles of single customers, and an alarm that is deployed no longer."""
    noisy = {"AlarmName": "token-refresh-prod-fleet-prod-reauthorize", "MetricName": "Reauthorize", "Period": 300}
    noisy |= {"Statistic": "Maximum", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}
    month = Month(alarms_of([*templates, noisy | {"EvaluationPeriods": 1, "TreatMissingData": "notBreaching"}]))
    live_through_single_troubles(month)
    return month


def test_no_alarm_is_on_for_weeks_for_one_customer(quiet: Month) -> None:
    """A month of single customers' troubles raises one alarm, for an hour; the model sees one that would last."""
    on = quiet.on()
    ((began, ended),) = on.pop("reauthorize")
    ((first, last),) = on.pop("paused-too-long")

    assert (True, True) == (began <= 10, ended >= quiet.minute), "the model sees a noisy alarm"
    assert (True, True) == (first <= 10, last <= 70)
    assert {} == on


def many_die(month: Month, error: str = "ReauthorizationRequired", state: State = State.REAUTHORIZE) -> None:
    died = replace(failed(error, at=month.now), state=state, since=month.now)
    month.put(*[row(f"c/{number}", found=died) for number in range(200, 200 + SIZE // 100)])


def pause_outlasts_half_a_window(month: Month) -> None:
    month.put(short(100, month.now))
    until = month.now + 51 * MINUTE  # the window is 20 minutes, and half of it is over after 50
    month.pauses = Pauses(fleet=Pause(at=month.now, until=until, by="me", why="their maintenance"))


def vanish(month: Month, percent: int) -> None:
    month.untagged |= {arn(f"c/{number}"): month.now for number in range(200, 200 + SIZE * percent // 100)}


def tokens_expire_behind_a_pause(month: Month) -> None:
    month.put(*[short(number, month.now - HOUR) for number in range(200, 200 + SIZE // 100)])
    began = month.now - 9 * HOUR
    month.pauses = Pauses(fleet=Pause(at=began, until=month.now + DAY, by="me", why="their maintenance"))


@pytest.mark.parametrize(
    ("happens", "alarm"),
    [
        (many_die, "new-deaths"),
        (partial(many_die, error="SecretAccessDenied", state=State.ERROR), "new-errors"),
        (pause_outlasts_half_a_window, "paused-too-long"),
        (partial(vanish, percent=15), "members-left"),
        (partial(vanish, percent=50), "members-left"),
        (tokens_expire_behind_a_pause, "expired"),
        (lambda month: setattr(month, "breakers", month.breakers | {"p1"}), "behind-breakers"),
        (lambda month: setattr(month, "crashes", 3), "runs-crashing"),
        (lambda month: setattr(month, "store_refuses", True), "store-refuses"),
        (lambda month: setattr(month, "unheard_since", month.now), "worker-unheard"),
        (lambda month: setattr(month, "table_failures", 2), "table-failing"),
    ],
)
def test_an_operator_learns_within_15_minutes(quiet: Month, happens: Callable[[Month], None], alarm: str) -> None:
    """After that month, 1 % new deaths, and each other trouble of many, is known within 15 minutes."""
    month = quiet.again()
    before = {name: list(on) for name, on in month.on().items()}
    # The worst minute: a resync and a period have just begun.
    month.live(MINUTE, step=MINUTE, also=one_customer)
    began = month.minute
    happens(month)
    month.live(HOUR / 2, step=MINUTE, also=one_customer)

    new = {name: on[len(before.get(name, [])) :] for name, on in month.on().items()}
    learned = {name: on[0][0] - began for name, on in new.items() if on and name != "reauthorize"}
    assert learned.get(alarm, HOUR // MINUTE) <= 15, learned
    assert alarm not in OF_AWS or {alarm} == learned.keys(), "nobody else is blamed"


def test_the_first_death_of_a_small_fleet(templates: Templates) -> None:
    """In a fleet of 40, one death of last week rings nothing in a month; a new one rings at once, for an hour."""
    small = {arn(f"c/{number}"): living(number) for number in range(40)}
    month = Month(alarms_of(templates), rows=small)
    month.put(dead(1, NOW - 7 * DAY))
    month.live(MONTH, step=6 * HOUR, also=lambda _: {"SecondsAfterDue": 5})
    assert {} == month.on()

    month.put(dead(2, month.now))
    began = month.minute
    month.live(4 * HOUR, step=MINUTE, also=lambda _: {"SecondsAfterDue": 5})

    ((first, last),) = month.on()["new-deaths"]
    assert {"new-deaths"} == month.on().keys()
    assert (True, True) == (first - began <= 10, 50 <= last - began <= 85)


def test_a_silent_dispatcher(quiet: Month) -> None:
    """Gauges that stop are an alarm: `dispatcher-silent`, and no other one, since none of them has a value."""
    month = quiet.again()
    began, month.gauges = month.minute + 1, {}
    month.minute = began  # no step of the month begins here
    month.live(HOUR / 2, step=100 * DAY, also=lambda _: {})

    on = {name: on[-1] for name, on in month.on().items() if on[-1][0] > began}
    assert ["dispatcher-silent"] == list(on)
    assert on["dispatcher-silent"][0] - began <= 15


def test_the_alarms_state_the_times_of_the_code(code: Path) -> None:
    """What an alarm's text says of minutes and hours is what the dispatcher and the alarm itself count."""
    template = synthesise(FLEET | {"published_under": "published/"}, code).template
    alarms = {a["AlarmName"]: a for a in resources(template, "CloudWatch::Alarm")}
    texts = {name.partition("fleet-prod-")[2]: json.dumps(alarm["AlarmDescription"]) for name, alarm in alarms.items()}
    periods = {
        name.partition("fleet-prod-")[2]: alarm["EvaluationPeriods"] * alarm.get("Period", 300) * SECOND
        for name, alarm in alarms.items()
    }
    rejected = attempt(fate=Fate.REJECTED, claimed_at=NOW)

    assert HOUR == rejection_retried_at([rejected], document(expires_at=None), policy()) - NOW
    assert "no grant has come back after an hour" in texts["new-deaths"]
    assert 20 * MINUTE == NEW_FOR + periods["copies-behind"]
    assert "has lacked the current access token for 20 minutes" in texts["copies-behind"]
    assert 3 * MINUTE == STORE_QUIET
    assert "stored none for three minutes" in texts["store-refuses"]
    assert 2 == STORE_PROBES
    assert "tries two secrets a minute" in texts["store-refuses"]
    assert 6 * MINUTE == FIRST_WAIT
    assert "its secret runs again after six minutes" in texts["table-failing"]
    assert 10 * MINUTE == periods["dispatcher-silent"] + EXTRA_POINTS * MINUTE
    assert "has not reported for ten minutes" in texts["dispatcher-silent"]
