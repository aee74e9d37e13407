from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from fleet.rows import WINDOW, arn, failed, pause, row, rows, seen
from testbed.builders import DAY, HOUR, MINUTE, NOW
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.gauges import percent, shares
from token_refresh_worker.fleet.core.row import Pauses, Row, State


def measured(
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
        measured([*living, *more])[metric]
        for more in ([*old, *broken(5, NOW - 3 * DAY, state)], [*old, *today], [*old, *now], [*today, *now])
    ]


def test_the_expired() -> None:
    """Secrets with an expired token count, also those of a pause, and not those whose grant is dead."""
    expired = [row(str(n), found=seen(expires_at=NOW)) for n in range(3)]
    paused = [replace(member, pause=pause(DAY)) for member in expired]
    dead = [row(f"dead/{n}", found=seen(state=State.REAUTHORIZE, expires_at=NOW)) for n in range(3)]

    assert [30, 30, 0] == [measured([*rows(7), *which])["ExpiredPercent"] for which in (expired, paused, dead)]


def test_a_pause_that_is_too_long() -> None:
    """A pause of the last hour counts for each secret whose half window is over before it ends; a dead one has none."""
    members = [row("a"), row("new", new=True), row("dead", found=seen(state=State.REAUTHORIZE))]
    half = WINDOW / 2

    def paused(duration: timedelta, *, at: datetime = NOW) -> float:
        return measured(members, pauses=Pauses(fleet=pause(duration, at=at)))["PausedTooLong"]

    assert [0, 1, 0] == [paused(half), paused(half + MINUTE), paused(half + MINUTE, at=NOW - HOUR)]


def test_a_long_pause_behind_a_short_one() -> None:
    """Of two pauses the one that ends last counts: the fleet's maintenance hides nobody's pause of a month."""
    members = [row("a", pause=pause(30 * DAY))]

    assert 1 == measured(members, pauses=Pauses(fleet=pause(MINUTE)))["PausedTooLong"]


def test_members_that_left() -> None:
    """Members that vanished within a day count, and those that `fleet remove` took out don't."""
    left = [*stones(10), *stones(5, ago=DAY), *stones(5, quietly=True)]

    assert 10 == measured(rows(90), left=left)["MembersLeftPercent"]


def test_what_breakers_hold_back() -> None:
    """Secrets behind an open breaker count, dead ones don't: they wait for a person, whatever the breaker does."""
    dead = broken(5, NOW - 2 * DAY)

    assert 5 == measured([*dead, *rows(95)], held=10)["BehindBreakersPercent"]
