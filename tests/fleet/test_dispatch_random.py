import itertools
import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.command import view_of
from fleet.rows import arn, failed, ran, ran_into, row, seen
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_admin.cli.fleet.status import lay_out
from token_refresh_admin.cli.fleet.view import as_fields
from token_refresh_worker.fleet.aws import items
from token_refresh_worker.fleet.core.breaker import lanes_of
from token_refresh_worker.fleet.core.dispatch import decide, message_id, scheduled_under
from token_refresh_worker.fleet.core.fleet import MEMORY, Decision, DispatchedMessage, Fleet, Limits, ProviderLimits
from token_refresh_worker.fleet.core.gauges import measure
from token_refresh_worker.fleet.core.messages import SECONDS
from token_refresh_worker.fleet.core.outcome import after, announcement
from token_refresh_worker.fleet.core.row import Pauses, Row, State, is_due, pause_of_row
from token_refresh_worker.run.outcome import iso_or_none

GROUP = "unmeasured"

PROVIDERS = {
    "slow": ProviderLimits(runs_per_second=0.2),
    "down": ProviderLimits(single_use=False),
    "xero": ProviderLimits(runs_per_second=2.0),
}
ERRORS = ("TokenEndpointUnavailable", "RefreshOutcomeUnknown", "ClientRejected", "ReauthorizationRequired")
ENDS = [ran_into(error) for error in ERRORS]
NUMBERS = st.one_of(
    st.integers(-400, 400).map(lambda hours: items.seconds(NOW + hours * HOUR)),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["-1", "0", "1e400", "nan", "253402300799", "199999999999", "x", ""]),
)
VALUES = st.one_of(
    NUMBERS.map(lambda text: {"N": text}),
    st.text(max_size=9).map(lambda text: {"S": text}),
    st.sampled_from([{"NULL": True}, {"BOOL": False}, {"L": []}, {"M": {}}, {"SS": ["a"]}, {"S": "[]"}, {"S": "{}"}]),
)
ATTRIBUTES = st.sampled_from(["fleet", "added_at", "provider", "next_at", "seen", "ran_at", "pause", "unsent"])
FIELDS = st.sampled_from(
    [
        *("at", "since", "state", "requests", "failures", "version_id", "expires_at", "due_at", "grant_ends_at"),
        *("sent", "host", "refused_at", "outcome", "error_type", "grant_ending_at"),
    ]
)
ODD: list[Any] = [*ERRORS, "identity.example", None, 1, True, {}, []]
SENT = st.lists(st.one_of(NUMBERS, st.sampled_from(ODD)), max_size=4)


def stored(
    *, provider: str, error: str | None, hours: int, fields: dict[str, Any], attributes: dict[str, Any], lost: set[str]
) -> dict[str, Any]:
    """An item as the table could hold it: whole, with attributes that are lost, or with anything in them."""
    last = failed(error, at=NOW - abs(hours) * MINUTE, state=State.ERROR) if error else seen()
    item: dict[str, Any] = dict(items.write_row(row(provider=provider, next_at=NOW + hours * HOUR, found=last), "prod"))
    item["seen"] = {"S": json.dumps(json.loads(item["seen"]["S"]) | fields)}
    return {name: value for name, value in (item | attributes).items() if name not in lost}


ITEMS = st.lists(
    st.builds(
        stored,
        provider=st.sampled_from([*PROVIDERS, "unknown", "no name"]),
        error=st.sampled_from([None, *ERRORS]),
        hours=st.integers(-2, 2),
        fields=st.dictionaries(FIELDS, st.one_of(NUMBERS, st.integers(), st.floats(), st.none(), SENT), max_size=2),
        attributes=st.dictionaries(ATTRIBUTES, VALUES, max_size=1),
        lost=st.sets(ATTRIBUTES, max_size=1),
    ),
    max_size=24,
)
ROWS = ITEMS.map(
    lambda found: [items.read_row(item | items.key("row", arn(str(number))), NOW) for number, item in enumerate(found)]
)
THOROUGH = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def fleet_of(rows: Sequence[Row], **others: Any) -> Fleet:
    return Fleet(rows=rows, providers=PROVIDERS, limits=Limits(writes_per_second=0.4), **others)


def exceeded(fleet: Fleet, decision: Decision) -> list[str]:
    """Name the limits that a minute exceeds: the budget, a provider's rate, an open breaker, a group's name."""
    budget, rows = fleet.limits.runs_a_minute, {found.secret_arn: found for found in fleet.rows}
    chosen = [rows[message.secret_arn] for message in decision.messages]
    counts = Counter(scheduled_under(found) for found in chosen)
    lanes = Counter(lane for found in chosen for lane in lanes_of(found))
    kept = {
        "budget": len(decision.messages) <= budget,
        "second": all(len(second) <= ceil(budget / SECONDS) for second in decision.seconds),
        "minute": len(decision.seconds) <= SECONDS,
        "rate": all(counts[name] <= (limits.runs_per_second or 99) * SECONDS + 1 for name, limits in PROVIDERS.items()),
        "breaker": all(lanes[lane] <= breaker.allowed for lane, breaker in decision.breakers.items()),
        "group": all(re.fullmatch(r"[a-z0-9-]{1,128}", message.group) for message in decision.messages),
    }
    return [name for name, holds in kept.items() if not holds]


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@THOROUGH
@given(ROWS, st.sampled_from([-2 * HOUR, -MINUTE, 0 * HOUR, HOUR, 900 * HOUR]), st.data())
def test_whatever_the_table_holds(rows: list[Row], jump: timedelta, data: st.DataObject) -> None:
    """Odd kinds and values, lost attributes, duplicates and a clock that jumps raise nothing and exceed no limit."""
    some = st.lists(st.sampled_from(rows), max_size=9) if rows else st.just([])
    rows += data.draw(some)
    handed = {message_id(r): DispatchedMessage(at=NOW - MINUTE, group="xero-0") for r in data.draw(some)}
    fleet, now = fleet_of(rows, handed_out=handed), NOW + jump

    decision = decide(fleet, now)

    assert [] == exceeded(fleet, decision)
    assert len(rows) == measure(fleet, decision, now)["Size"]
    members = view_of(rows, now=now)
    assert lay_out(members, limit=len(rows))
    assert json.dumps(as_fields(members), default=iso_or_none)
    for found, end in itertools.product(rows, ENDS):
        left = after(found, end, began_at=NOW, chance=0.5)
        assert left.next_at > NOW
        assert all(announcement(left, change, fleet="prod") for change in left.unsent)
        assert left == items.read_row(items.write_row(left, "prod"), NOW)


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@THOROUGH
@given(ROWS, st.sampled_from([-10 * MINUTE, 0 * HOUR, HOUR, 48 * HOUR]), st.integers(0, 9), st.data())
def test_no_secret_starves(rows: list[Row], jump: timedelta, jumps_at: int, data: st.DataObject) -> None:
    """Each secret that is due is handed out within the hour, whatever the rows beside it hold, and its row heals."""
    index = {found.secret_arn: found for found in rows}
    due = [found.secret_arn for found in rows if is_due(found, NOW) and pause_of_row(found, Pauses(), NOW) is None]
    dies = set(data.draw(st.lists(st.sampled_from(due), max_size=9))) if due else set()
    sent: dict[str, DispatchedMessage] = {}
    started, now = set[str](), NOW
    for minute in range(60):
        now += jump + MINUTE if minute == jumps_at else MINUTE
        recent = {name: handed for name, handed in sent.items() if timedelta(0) <= now - handed.at <= MEMORY}
        fleet = fleet_of(list(index.values()), handed_out=recent)
        decision = decide(fleet, now)
        assert [] == exceeded(fleet, decision)
        for message in decision.messages:
            times = sent[message.message_id].times + 1 if message.message_id in sent else 1
            sent[message.message_id] = DispatchedMessage(at=now, group=message.group, times=times)
        for found in (message.secret_arn for message in decision.messages):
            if found in started or found not in dies:  # the first run of some dies, and their rows stay due
                good = ran(at=now, expires_at=now + HOUR, due_at=now + HOUR / 2)
                index[found] = after(index[found], good, began_at=now, chance=0.5)
            started.add(found)

    assert [] == sorted(set(due) - started)
    assert {State.HEALTHY} >= {row.seen.state if row.seen else None for row in map(index.__getitem__, due)}
