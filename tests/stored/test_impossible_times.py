"""Times that can't be are not believed, wherever they come from, and one function decides which those are."""

import ast
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from testbed.builders import DAY, HOUR, MINUTE, NOW, attempt, claim, document, origin, policy, snapshot, token_set
from token_refresh.stored.times import is_possible
from token_refresh_worker.core.attempts import CLOCK_ERROR, LONG_AGO, Fate, dated
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import believed, due_at
from token_refresh_worker.core.snapshot import LivingSet, RunState
from token_refresh_worker.core.steps import LivingSetReplaced, Redeem
from token_refresh_worker.stored.origin import Asked, ForeignSets

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = ("admin/token_refresh_admin", "reader/token_refresh", "worker/token_refresh_worker")
YEAR: Final = 365 * DAY
SECOND: Final = MINUTE / 60

BELIEVE: Final = {
    "worker/token_refresh_worker/core/attempts.py": ["believed_wait", "dated"],  # records; claims and ledgers
    "worker/token_refresh_worker/core/pauses.py": ["pause_of"],
    "worker/token_refresh_worker/core/schedule.py": ["_believed_origin", "believed"],  # documents
    "worker/token_refresh_worker/core/snapshot.py": ["open_until"],
    "worker/token_refresh_worker/fleet/aws/items.py": ["read_dispatch", "read_row"],
    "worker/token_refresh_worker/fleet/core/row.py": ["pause_of_row"],
    "worker/token_refresh_worker/providers/provider.py": ["ends_at", "lifetime_of"],  # responses
    "reader/token_refresh/aws/responses.py": ["_in_range"],  # `Date` and other times of AWS
}
"""Which functions ask, by file."""


def test_each_place_that_believes_a_time_asks_one_function() -> None:
    """A place that is added here says what the latest time is there; one that compares by itself is found in review."""
    found: dict[str, list[str]] = {}
    for path in (path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "is_possible"
                for node in ast.walk(function)
            ):
                found.setdefault(str(path.relative_to(ROOT)), []).append(function.name)

    assert {path: sorted(names) for path, names in found.items()} == BELIEVE


def test_the_latest_time_is_possible() -> None:
    """Nothing after it is."""
    assert [is_possible(NOW + late, latest=NOW) for late in (-SECOND, 0 * SECOND, SECOND)] == [True, True, False]


def test_a_wait_that_no_run_stores_is_none() -> None:
    """A run stores a day's wait at most, counted from a clock that may be an hour ahead of the claim's."""
    longest, too_long = (attempt(claimed_at=NOW, retry_at=NOW + DAY + CLOCK_ERROR + late) for late in (0 * DAY, SECOND))

    assert dated(longest, NOW).retry_at == longest.retry_at
    assert dated(too_long, NOW).retry_at is None


def test_bookkeeping_from_the_future_is_forgotten() -> None:
    """What a refresh in vain taught, what something else stored, and when the grant began: never after the version."""
    for late, known in ((CLOCK_ERROR, True), (CLOCK_ERROR + SECOND, False)):
        at = NOW + late
        place = origin(
            asked=Asked(left=HOUR, at=at),
            foreign=ForeignSets(count=2, version_id="f" * 36, stored_at=at),
            grant_began_at=at,
            grant_ends_at=NOW + YEAR,
        )
        kept = believed(document(issued_at=NOW, expires_at=NOW + DAY, **place), NOW, policy()).origin

        assert kept is not None
        assert [kept.asked is not None, kept.foreign is not None, kept.grant_began_at == at] == [known] * 3
        assert kept.grant_ends_at == NOW + YEAR


def test_what_was_learned_is_of_the_tokens_it_was_learned_of() -> None:
    """A refresh in vain puts the next one off. Another job's token is due as ever, with the rest kept."""
    place = origin(lifetime=HOUR, asked=Asked(left=20 * MINUTE, at=NOW))
    ours = document(issued_at=NOW, expires_at=NOW + HOUR, **place)
    another = document(issued_at=NOW, expires_at=NOW + 2 * HOUR, **place)

    assert due_at(ours, policy()) == NOW + 55 * MINUTE
    assert due_at(another, policy()) == NOW + 2 * HOUR - 20 * MINUTE


def test_a_rejection_at_an_impossible_time_ends_no_living_set() -> None:
    """Nobody knows whether a person stored the other set before it or after. So the token is sent again, once."""
    other = LivingSet(version_id="v-other", stored_at=NOW - DAY)
    current = token_set(stored_at=NOW - 2 * DAY, issued_at=NOW - 2 * DAY, expires_at=NOW)

    def step(rejected_at: datetime) -> object:
        rejected = claim(claimed_at=rejected_at, fate=Fate.REJECTED)
        return plan(replace(snapshot(rejected, current=current), living=other), RunState(), policy())

    assert isinstance(step(LONG_AGO), Redeem)
    assert step(NOW - DAY - HOUR) == LivingSetReplaced(other)
