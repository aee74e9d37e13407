"""How long after a refresh a reader reads the new token, played with the schedules that deployments have by default."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from testbed.builders import DAY, HOUR
from token_refresh.reader.token import RefreshPattern, Token
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, LATE_START, refresh_window
from token_refresh_infra.context import read_parameters
from token_refresh_infra.single.parameters import SingleParameters

ROOT: Final = Path(__file__).parents[2]
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
LEARNED: Final = 8
"""After so many refreshes a reader knows when the latest of them come."""


def schedule(lifetime: timedelta) -> SingleParameters:
    """Return the default deployment for tokens of a lifetime."""
    return read_parameters(SingleParameters, {"environment": "prod", "token_lifetime_seconds": lifetime // SECOND})


def delays_minutes(lifetime: timedelta, refreshes: int = 2000) -> list[float]:
    """Return how long after each refresh a reader that has learned the schedule reads the new token, shortest first."""
    chance, deployment, pattern = random.Random(1), schedule(lifetime), RefreshPattern()  # noqa: S311 - plays a schedule
    every, within = 60 * deployment.run_every_minutes, 60 * deployment.start_within_minutes
    life, window = lifetime.total_seconds(), refresh_window(DEFAULT_WINDOW, lifetime).total_seconds()
    token, read_at, delays = stored(0.0, life), START.timestamp(), []
    for _ in range(refreshes):
        due = token.created_at.timestamp() + life - window
        slot, run_at = (due - within - LATE_START.seconds) // every, 0.0
        while run_at < due:
            run_at = slot * every + chance.uniform(0, within) + chance.uniform(0, LATE_START.seconds)
            slot += 1
        while read_at < run_at:
            read_at = pattern.next_read_at(token, now=read_at, chance=chance.random())
        delays.append((read_at - run_at) / 60)
        newer = stored(run_at - START.timestamp(), life)
        pattern.learn(token, newer)
        token = newer
    return sorted(delays[LEARNED:])


def stored(seconds: float, life_seconds: float) -> Token:
    """Return a token that was stored so long after the start."""
    at = START + timedelta(seconds=seconds)
    expires_at = at + timedelta(seconds=life_seconds)
    return Token(value="value", created_at=at, expires_at=expires_at, version_id=f"{seconds}")


A_DAY, AN_HOUR = delays_minutes(DAY), delays_minutes(HOUR)

SAID = {
    "docs/reader.md": [
        f"reads a new 24-hour token {median(A_DAY):.0f} minutes after the refresh at the median and 40 minutes at most",
        f"and a new one-hour token after {median(AN_HOUR):.0f} and 3 minutes",
    ],
}


def test_the_page_says_how_late_a_reader_is() -> None:
    """The sentence of docs/reader.md has the figures of this simulation."""
    page = " ".join((ROOT / "docs" / "reader.md").read_text().split())

    assert [] == [sentence for sentence in SAID["docs/reader.md"] if sentence not in page]


@pytest.mark.parametrize(("delays", "most"), [(A_DAY, 40), (AN_HOUR, 3)])
def test_no_reader_is_later_than_the_page_says(delays: list[float], most: float) -> None:
    """Not even the latest of two thousand refreshes is read later, and some are read nearly as late."""
    assert most * 0.75 < delays[-1] <= most
