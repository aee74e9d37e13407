"""A move of claims that dies at any of its calls: the same move again completes it, and no token is redeemed twice."""

import itertools
import json
from typing import Any

import pytest

from run.grant import with_grant
from run.world import Killed, World, killed, refuse
from testbed.builders import DAY, HOUR, MINUTE, NOW, SINGLE_USE, SINGLE_USE_IN_TABLE, origin
from testbed.builders import fields as document_fields
from testbed.fakes import FakeTable
from token_refresh.errors import (
    ConfigurationError,
    InvalidSecretDocument,
    RefreshOutcomeUnknown,
    SecretAccessDenied,
    TokenEndpointUnavailable,
    TokenRequestRejected,
    TokensKept,
)
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
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
    """Where the new store refuses the arrival, the move reads again: the document names a claim that is there."""
    world = World(policy=SINGLE_USE)
    world.tables["claims"] = table = world.new_table()
    append, refusals = table.append, [False]

    def refused_once(_table: FakeTable, *args: Any, **how: Any) -> bool:
        return refusals.pop() if refusals else append(*args, **how)

    monkeypatch.setattr(FakeTable, "append", refused_once)

    assert world.move(in_table("claims"))
    assert table.find(world.current()["tokenRefresh"]["claim"]) is not None


def test_a_claim_that_can_not_be_read_yet() -> None:
    """The claim that the document names may only be invisible yet: a move waits for it, and ends."""
    world = World(policy=SINGLE_USE, **origin(claim_id="c" * 36, number=9, grace=SINGLE_USE.replay_grace))

    with pytest.raises(ChangeFailed, match="stayed old"):
        world.mover().carry_out(in_table("claims"))
    world.pass_time(HOUR)

    assert world.move(in_table("claims"))
    assert 11 == world.current()["tokenRefresh"]["number"]


def test_an_open_claim_stops_a_move() -> None:
    """A run that redeemed may have to keep its tokens in the old table, where no run of the new store looks."""
    world = World(policy=SINGLE_USE_IN_TABLE, keeps=True, expires_at=NOW + HOUR)
    grant = with_grant(world, DAY)
    tried = []

    def move(_call: str) -> None:
        world.store.before = refuse("put REFRESH_OUTCOME", SecretAccessDenied("denied"))
        with pytest.raises(ChangeFailed, match=r"may be redeeming .* until 2026-11-24 12:10:30 UTC"):
            world.mover().carry_out(IN_VERSIONS)
        tried.append(True)

    world.claim_table.after = lambda call: move(call) if call == "append claim" else None
    with pytest.raises(TokensKept):
        world.execute()
    world.store.before = world.claim_table.after = lambda _: None

    assert "recovered" == world.outcome()
    assert world.move(IN_VERSIONS)
    assert (1, True, [True]) == (grant.refreshes, grant.alive, tried)


def test_an_open_claim_that_ends() -> None:
    """A move waits for a run that is under way, and goes on as soon as its tokens are stored."""
    world = World(policy=SINGLE_USE, expires_at=NOW + HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.clock.oversleep = world.pass_claim

    assert world.move(in_table("claims"))


def test_how_long_to_wait_comes_along() -> None:
    """A move forgets no `Retry-After`: runs of the new store wait as long as the provider asked."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 5 * HOUR)
    busy = FailedRequest(kind=FailureKind.BUSY, seen="HTTP 429", retry_after=2 * HOUR)
    world.endpoint.responses = [busy]
    with pytest.raises(TokenEndpointUnavailable):
        world.execute()

    assert world.move(in_table("claims"))
    ended = world.execute()

    assert ("yielded", NOW + 2 * HOUR) == (ended.name, ended.retry_at)


def test_kept_tokens_that_a_new_grant_replaced() -> None:
    """Where nobody can decrypt them, and nobody needs them, the printed command removes them."""
    world = World(policy=SINGLE_USE_IN_TABLE, keeps=True, expires_at=NOW + HOUR)
    world.store.before = refuse("put REFRESH_OUTCOME", SecretAccessDenied("denied"))
    with pytest.raises(TokensKept):
        world.execute()
    world.store.before = lambda _: None
    world.claim_table.before = refuse("open kept tokens", SecretAccessDenied("denied"))
    world.authorize(in_table("claims"))
    world.pass_claim()

    with pytest.raises(ChangeFailed, match=r"keeps new tokens.* --force`"):
        world.mover().carry_out(IN_VERSIONS)
    assert "refreshed" == world.outcome(force=True)
    assert world.move(IN_VERSIONS)


def test_claims_that_a_table_has_lost_while_nothing_is_due() -> None:
    """A run that finds nothing due leaves a lost table alone, so the printed command forces one."""
    world = World(policy=SINGLE_USE_IN_TABLE)
    world.execute()
    world.claim_table.item.clear()

    with pytest.raises(ChangeFailed, match=r"has lost the newest claims.* --force`"):
        world.mover().carry_out(IN_VERSIONS)
    assert "yielded" == world.outcome(force=True)
    world.pass_claim()
    assert world.move(IN_VERSIONS)


def test_claims_that_began_again_in_a_table() -> None:
    """Claims in the secret from before a new grant are in the way of no later move, and no record is another's."""
    world = World(policy=SINGLE_USE)
    world.execute()
    world.endpoint.responses = [FailedRequest(kind=FailureKind.REQUEST_REJECTED, seen="400", error="invalid_scope")]
    with pytest.raises(TokenRequestRejected):
        world.execute(force=True)
    for _ in range(3):
        world.execute(force=True)
    world.authorize(in_table("claims"))
    grant = with_grant(world, DAY)
    world.pass_time(20 * HOUR)
    assert "refreshed" == world.outcome()
    world.pass_time(17 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_claim()

    assert world.move(IN_VERSIONS)
    world.pass_time(HOUR)
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert grant.alive


def test_a_large_document() -> None:
    """Whatever a run can refresh can be moved, stored as tightly as a run does it; what none can refresh is not."""
    world = World(policy=SINGLE_USE)
    world.save_text(json.dumps(document_fields(note=[1] * 32_000), separators=(",", ":")))
    before = world.model.snapshot()
    with pytest.raises(InvalidSecretDocument, match="leaves no room for new tokens"):
        world.mover().carry_out(in_table("claims"))
    assert before == world.model.snapshot()

    world.save_text(json.dumps(document_fields(note=[1] * 24_000), separators=(",", ":")))
    assert "refreshed" == world.outcome(force=True)
    assert world.move(in_table("claims"))
    assert "refreshed" == world.outcome(force=True)


def test_a_new_grant_after_a_table_is_gone() -> None:
    """`authorize` with claims in the secret is enough: the fence there is older than the document."""
    world = World(policy=SINGLE_USE)
    world.execute()
    world.move(in_table("claims"))
    world.authorize(IN_VERSIONS)
    world.pass_time(20 * HOUR)

    assert "refreshed" == world.outcome()
    assert world.move(in_table("others"))
