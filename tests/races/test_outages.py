from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from races.kills import REFRESH, Boundary, When, boundaries
from races.world import GRACE, SINGLE_USE, TOKEN_REQUEST, World
from testbed.aws.faults import Action, Call
from testbed.aws.service import Authorize


def ended_without_store(boundary: Boundary) -> tuple[str, list[str], bool]:
    with World(GRACE) as world:
        world.store.fault("unavailable", nth=boundary.nth_of_store, times=None)
        # The shortest deadline that a refresh accepts, since all of it is spent on trying.
        name = world.run(deadline_seconds=26).name
        world.store.faults.clear()
        return name, [run.name for run in world.rest()][-1:], world.alive


def test_store_stays_away() -> None:
    """Secrets Manager going away for good, at whichever call, is a named error; once it is back the grant is there."""
    points = [b for b in boundaries(REFRESH, GRACE) if b.when is When.BEFORE and b.call != TOKEN_REQUEST]
    received = [point for point in points if point.call == "PutSecretValue AWSPENDING"]

    with ThreadPoolExecutor(len(points)) as pool:
        ended = dict(zip(points, pool.map(ended_without_store, points), strict=True))

    # Taking off a label that does no harm fails nothing.
    tidying = points[-1]
    assert {
        point: (
            "TokensNotStored" if point in received else "refreshed" if point == tidying else "SecretStoreUnavailable",
            ["fresh"],
            True,
        )
        for point in points
    } == ended


@pytest.mark.parametrize(("action", "times"), [("deny", 4), ("throttle", 6), ("drop_before", 6)])
def test_stage_refused_for_long(action: Action, times: int) -> None:
    """Received tokens are stored as soon as Secrets Manager takes them, however often it refused them before."""
    with World(SINGLE_USE) as world:
        refused = world.store.fault(action, "PutSecretValue", nth=2, times=times)

        assert "refreshed" == world.run().name
        assert times < refused.seen
        assert (1, True) == (world.requests_sent, world.alive)


def test_no_permission_to_put() -> None:
    """A role without PutSecretValue is found out before anything is redeemed; with it, the next run refreshes."""
    with World(SINGLE_USE) as world:
        world.store.authorize = without("PutSecretValue")
        ended = world.run()

        assert "SecretAccessDenied" == ended.name
        assert "secretsmanager:PutSecretValue" in (ended.message or "")
        assert 0 == world.requests_sent
        world.store.authorize = None
        assert ["refreshed", "fresh"] == [run.name for run in world.rest()]
        assert world.alive


def test_no_permission_to_move_labels() -> None:
    """A role without UpdateSecretVersionStage stages the tokens; with it, the next run recovers them unasked."""
    with World(SINGLE_USE) as world:
        world.store.authorize = without("UpdateSecretVersionStage")
        denied = [world.run().name for _ in range(3)]

        assert ["SecretAccessDenied"] * 3 == denied
        world.store.authorize = None
        assert ["recovered", "fresh"] == [run.name for run in world.rest()]
        assert (1, True) == (world.requests_sent, world.alive)


def without(operation: str) -> Authorize:
    def refusal(call: Call) -> str | None:
        return "the role lacks it" if call.operation == operation else None

    return refusal
