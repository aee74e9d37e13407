"""A move of claims that dies at any of its calls: the same move again completes it, and no token is redeemed twice."""

import itertools
from typing import Any

import pytest

from builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE, SINGLE_USE_IN_TABLE, origin
from fakes import FakeTable
from run.grant import with_grant
from run.world import Killed, World, refuse
from token_refresh.errors import ConfigurationError, SecretAccessDenied, TokensKept
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.stored.origin import IN_VERSIONS, StoreName, in_table

OTHER = in_table("others")


def killed_at(world: World, call: int, to: StoreName, *, after: bool) -> bool:
    """Move, and die just before or after a call; False if there are fewer calls."""
    calls = itertools.count(1)

    def hook(_called: str) -> None:
        if next(calls) == call:
            raise Killed

    world.tables.setdefault("claims", world.new_table())
    world.tables.setdefault("others", world.new_table())
    ports: list[Any] = [world.store, *world.tables.values()]
    for port in ports:
        setattr(port, "after" if after else "before", hook)
    try:
        world.mover().carry_out(to)
    except Killed:
        return True
    finally:
        for port in ports:
            port.before = port.after = lambda _: None
    return False


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("policy", "to"),
    [(SINGLE_USE, in_table("claims")), (SINGLE_USE_IN_TABLE, IN_VERSIONS), (SINGLE_USE_IN_TABLE, OTHER)],
)
def test_a_move_that_dies(policy: Policy, to: StoreName, *, after: bool) -> None:
    """Wherever it dies, runs of the old deployment redeem or refuse, and the completed move leaves one live grant."""
    for call in range(1, 40):
        world = World(policy=policy, expires_at=NOW + HOUR / 4, issued_at=NOW - HOUR)
        grant = with_grant(world, HOUR)
        world.execute()
        world.pass_time(45 * MINUTE)
        if not killed_at(world, call, to, after=after):
            break
        try:
            between = world.outcome()
        except ConfigurationError:
            between = "refused"
        moved = world.move(to)
        world.pass_time(45 * MINUTE)

        assert "refreshed" == world.outcome()
        assert grant.alive
        assert moved or after
        assert grant.refreshes == {"refreshed": 3, "refused": 2}[between]
        world.pass_time(DAY)
        assert "refreshed" == world.outcome()
    assert 6 < call < 39


def test_a_faster_run() -> None:
    """A run that claims just before the fence is found; the move then follows its claim."""
    world = World(policy=SINGLE_USE, expires_at=NOW + HOUR / 4, issued_at=NOW - HOUR)
    grant = with_grant(world, HOUR)

    with world.at("put REFRESH_CLAIM", world.execute):
        world.move(in_table("claims"))
    world.pass_time(45 * MINUTE)

    assert "refreshed" == world.outcome()
    assert (2, True) == (grant.refreshes, grant.alive)


def test_a_target_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new store refuses the arrival, the move reads again."""
    world = World(policy=SINGLE_USE)
    world.tables["claims"] = table = world.new_table()
    append, refusals = table.append, [False]

    def refused_once(_table: FakeTable, *args: Any, **how: Any) -> bool:
        return refusals.pop() if refusals else append(*args, **how)

    monkeypatch.setattr(FakeTable, "append", refused_once)

    assert world.move(in_table("claims"))


def test_a_claim_that_can_not_be_read_yet() -> None:
    """The claim that the document names may only be invisible yet: a move waits for it, and ends."""
    world = World(policy=SINGLE_USE, **origin(claim_id="c" * 36, number=9, grace=SINGLE_USE.replay_grace))

    with pytest.raises(CommandFailed, match="stayed old"):
        world.mover().carry_out(in_table("claims"))
    world.pass_time(HOUR)

    assert world.move(in_table("claims"))
    assert 11 == world.current()["tokenRefresh"]["number"]


def test_kept_tokens_stop_a_move() -> None:
    """Tokens that the table keeps would stay behind: the next run stores them first."""
    world = World(policy=SINGLE_USE_IN_TABLE, keeps=True, expires_at=NOW + HOUR)
    world.store.before = refuse("put REFRESH_OUTCOME", SecretAccessDenied("denied"))
    with pytest.raises(TokensKept):
        world.execute()
    world.store.before = lambda _: None

    with pytest.raises(CommandFailed, match="keeps new tokens"):
        world.mover().carry_out(IN_VERSIONS)
    assert "recovered" == world.outcome()
    assert world.move(IN_VERSIONS)
