"""What the dispatcher measures of a fleet, and the shares that alarms are set on."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from fleet.rows import WINDOW, arn, failed, pause, row, rows, seen
from testbed.builders import DAY, HOUR, MINUTE, NOW
from token_refresh_worker.adapters.telemetry import mask
from token_refresh_worker.fleet.core.dispatch import decide, message_id
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.fleet import DispatchedMessage, Fleet
from token_refresh_worker.fleet.core.gauges import measure, measure_providers, percent, shares
from token_refresh_worker.fleet.core.row import Pauses, Row, State


def measured(everything: list[Row]) -> dict[str, float]:
    fleet = Fleet(rows=everything)
    return measure(fleet, decide(fleet, NOW), NOW)


def measured_providers(everything: list[Row]) -> dict[str, dict[str, float]]:
    fleet = Fleet(rows=everything)
    return measure_providers(fleet, decide(fleet, NOW), NOW)


def test_every_secret_is_counted_in_one_state() -> None:
    """Each secret counts in exactly one state, the one that never reported included."""
    gauges = measured(
        [
            row("due"),
            row("new", new=True),
            row("healthy", found=seen(due_at=NOW + MINUTE), next_at=NOW + MINUTE),
            row("overdue", found=seen(expires_at=NOW + MINUTE, due_at=NOW - HOUR)),
            row("paused", pause=pause()),
            *[
                row(state, found=seen(state=state))
                for state in (State.HELD, State.REAUTHORIZE, State.EMPTY, State.ERROR)
            ],
        ]
    )

    assert 9 == gauges["Size"] == sum(gauges[state.title()] for state in State)
    assert (2, 1, 1) == (gauges["Due"], gauges["Overdue"], gauges["Healthy"])
    assert {1} == {gauges[s] for s in ("Paused", "Held", "Reauthorize", "Empty", "Error")}


def test_who_is_to_blame() -> None:
    """Where Secrets Manager refuses, or the worker does not run, no provider is to blame."""
    late = [replace(each, seen=seen(at=NOW - HOUR)) for each in rows(20)]
    sent = {message_id(each): DispatchedMessage(at=NOW - 4 * MINUTE, group="xero-0") for each in late}

    def gauges(fleet: Fleet) -> list[float]:
        fields = measure(fleet, decide(fleet, NOW), NOW)
        return [fields[name] for name in ("StoreRefuses", "WorkerUnheard", "BehindBreakersPercent", "BreakersOpen")]

    assert [1, 0, 0.0, 1] == gauges(Fleet(rows=rows(20), store_refuses=True))
    assert [0, 1, 0.0, 1] == gauges(Fleet(rows=late, handed_out=sent))
    heard = [*late[1:], replace(late[0], seen=seen(at=NOW - MINUTE), next_at=NOW + HOUR)]
    assert [0, 0] == gauges(Fleet(rows=heard, handed_out=sent))[:2]
    assert [0, 0] == gauges(Fleet(rows=late, handed_out=dict([*sent.items()][:2])))[:2], "two may kill their function"


def test_objective() -> None:
    """The share within the objective counts secrets that the fleet can keep fresh, and among them the unreported.

    One or two secrets outside of it are single customers, and leave it at 100. A member that joined within ten minutes
    counts for no objective, read or not.
    """
    within = [row(str(n), found=seen(due_at=NOW + MINUTE), next_at=NOW + MINUTE) for n in range(9)]

    def objective(*others: Row) -> float:
        return measured([*within, *others])["WithinWindowPercent"]

    def joined(count: int, ago: timedelta) -> list[Row]:
        late = seen(expires_at=NOW)
        return [row(f"new-{n}", new=n % 2 == 0, added_at=NOW - ago, found=late) for n in range(count)]

    dead = row("dead", found=seen(state=State.REAUTHORIZE))
    assert [75.0, 100.0] == [objective(*joined(count, DAY), dead) for count in (3, 2)]
    assert [100.0, 50.0] == [objective(*joined(9, ago)) for ago in (9 * MINUTE, 10 * MINUTE)]
    assert 100.0 == measured([])["WithinWindowPercent"]


def test_a_single_death_rings_in_a_small_fleet_alone() -> None:
    """One grant that died just now counts among 299 secrets, and is a single customer among 300."""
    died = row("dead", found=replace(failed("AnyError", at=NOW, state=State.REAUTHORIZE), since=NOW - MINUTE))

    assert [1.0, 0.0] == [measured([died, *rows(living)])["NewDeathsPercent"] for living in (298, 299)]


def test_by_provider() -> None:
    """Each provider has its own counts: secrets, overdue ones, dead grants and its breaker."""
    late = [row(f"late/{n}", provider="late", found=seen(due_at=NOW - WINDOW, expires_at=NOW)) for n in range(2)]
    down = [
        row(f"down/{n}", provider="down", found=failed("TokenEndpointUnavailable", at=NOW - MINUTE)) for n in range(5)
    ]
    gauges, providers = measured(late + down), measured_providers(late + down)

    assert {"Size": 2, "Overdue": 2, "Reauthorize": 0, "BreakersOpen": 0} == providers["late"]
    assert (1, 1) == (providers["down"]["BreakersOpen"], gauges["BreakersOpen"])


def test_no_name_is_masked() -> None:
    """No name of a metric makes the log mask its value."""
    everything = rows(3) + rows(2, provider="upwork")

    for counts in (measured(everything), *measured_providers(everything).values()):
        assert counts == mask(dict(counts))


def shares_of(
    members: list[Row], *, pauses: Pauses | None = None, left: list[Tombstone] | None = None, held: int = 0
) -> dict[str, float]:
    held_back = {member.secret_arn for member in members[:held]}
    return shares(members, pauses or Pauses(), left or [], held_back=held_back, now=NOW)


def broken(count: int, since: datetime, state: State = State.REAUTHORIZE) -> list[Row]:
    found = replace(failed("AnyError", at=NOW, state=state), since=since)
    return [row(f"{state}/{n}/{since}", found=found) for n in range(count)]


def stones(count: int, *, ago: timedelta = MINUTE, quietly: bool = False) -> list[Tombstone]:
    return [
        Tombstone(secret_arn=arn(str(n)), provider="xero", left_at=NOW - ago, quietly=quietly) for n in range(count)
    ]


@pytest.mark.parametrize(("count", "of", "share"), [(0, 0, 0), (2, 9, 0), (3, 9, 33.333), (2, 2, 100), (1, 1, 100)])
def test_a_few_are_none(count: int, of: int, share: float) -> None:
    """Fewer than three secrets are no share of a fleet, unless they are all of it."""
    assert share == percent(count, of)


@pytest.mark.parametrize(
    ("state", "metric"), [(State.REAUTHORIZE, "NewDeathsPercent"), (State.ERROR, "NewErrorsPercent")]
)
def test_what_is_new(state: State, metric: str) -> None:
    """What a person must repair counts by when it began: a day's share, or twice an hour's; what is older never."""
    living = rows(90)
    old, today, now = (broken(5, NOW - ago, state) for ago in (2 * DAY, 2 * HOUR, MINUTE))

    assert [0, 5, 10, 10] == [
        shares_of([*living, *more])[metric]
        for more in ([*old, *broken(5, NOW - 3 * DAY, state)], [*old, *today], [*old, *now], [*today, *now])
    ]


def test_a_pause_that_is_too_long() -> None:
    """A pause of the last hour counts for each secret whose half window is over before it ends; a dead one has none."""
    members = [row("a"), row("new", new=True), row("dead", found=seen(state=State.REAUTHORIZE))]
    half = WINDOW / 2

    def paused(duration: timedelta, *, at: datetime = NOW) -> float:
        return shares_of(members, pauses=Pauses(fleet=pause(duration, at=at)))["PausedTooLong"]

    assert [0, 1, 0] == [paused(half), paused(half + MINUTE), paused(half + MINUTE, at=NOW - HOUR)]


def test_a_long_pause_behind_a_short_one() -> None:
    """Of two pauses the one that ends last counts: the fleet's maintenance hides nobody's pause of a month."""
    members = [row("a", pause=pause(30 * DAY))]

    assert 1 == shares_of(members, pauses=Pauses(fleet=pause(MINUTE)))["PausedTooLong"]


def test_members_that_left() -> None:
    """Members that vanished within a day count, and those that `fleet remove` took out don't."""
    left = [*stones(10), *stones(5, ago=DAY), *stones(5, quietly=True)]

    assert 10 == shares_of(rows(90), left=left)["MembersLeftPercent"]


def test_what_breakers_hold_back() -> None:
    """Secrets behind an open breaker count, dead ones don't: they wait for a person, whatever the breaker does."""
    dead = broken(5, NOW - 2 * DAY)

    assert 5 == shares_of([*dead, *rows(95)], held=10)["BehindBreakersPercent"]
