"""The current token was used, and the tokens that it brought are gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from run.grant import single_use
from run.world import World, refuse
from testbed.builders import (
    DAY,
    FORCED,
    MINUTE,
    NOW,
    SINGLE_USE_IN_TABLE,
    attempt,
    claim,
    origin,
    policy,
    snapshot,
    token_set,
)
from token_refresh.errors import (
    InvalidSecretDocument,
    ReauthorizationRequired,
    SecretStoreUnavailable,
)
from token_refresh_worker.core.attempts import MOST_REDEMPTIONS, Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.steps import Reason, Redeem, TokenUsed, Wait
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.stored.origin import ClaimStoreKind


def test_tokens_that_an_old_read_may_not_show_are_waited_for() -> None:
    """Nobody has to authorize again because a read is minutes old."""
    used = claim(brought="refresh-1", claimed_at=NOW - 9 * MINUTE)
    run = replace(FORCED, limit=MINUTE)

    assert Wait(NOW + MINUTE, Reason.STALE) == plan(snapshot(used), run, policy())
    assert TokenUsed(used.claimed_at) == plan(snapshot(used, now=NOW + MINUTE), run, policy())


@pytest.mark.parametrize(("grace", "sent"), [(3 * DAY, True), (2 * DAY, False)])
def test_a_forgotten_token_is_sent_within_the_grace_of_its_issue(grace: timedelta, *, sent: bool) -> None:
    """Whether it was used then or not, the provider still takes it; after that it counts as used."""
    full = tuple(
        attempt(f"r{n}", token=f"t{n}", brought=f"t{n + 1}", claimed_at=NOW - DAY) for n in range(MOST_REDEMPTIONS)
    )
    newest = claim("c", fate=Fate.NOT_REDEEMED, version_id="w", token="t50", earlier=full, claim_number=60, grace=grace)
    old = token_set(issued_at=NOW - 2 * DAY, expires_at=NOW, **origin(number=1, claim_id="r0", grace=grace))

    step = plan(snapshot(newest, current=old), FORCED, policy(grace=grace))

    assert isinstance(step, Redeem if sent else TokenUsed)


def short_lived() -> World:
    """A token of half an hour, with claims in a table, when the last quarter of its window has begun."""
    return World(policy=SINGLE_USE_IN_TABLE, issued_at=NOW - 28 * MINUTE, expires_at=NOW + 2 * MINUTE)


def test_a_mark_that_can_not_be_stored_costs_nothing() -> None:
    """The tokens are stored, and the run makes them current."""
    world = short_lived()
    world.claim_table.before = refuse("record", SecretStoreUnavailable("why"))

    assert "refreshed" == world.outcome()
    assert "record_not_stored" in world.log.events


def test_a_token_that_the_ledger_has_forgotten_is_not_sent() -> None:
    """Whoever moves AWSCURRENT 58 refreshes back costs no grant: the error names the version to restore."""
    world, grant = single_use(ClaimStoreKind.TABLE, 4 * DAY)
    old = world.labels()[CURRENT]
    for _ in range(58):
        world.pass_time(4 * DAY)
        assert "refreshed" == world.outcome()
    newest = world.labels()[CURRENT]
    world.store.move_label(CURRENT, to=old, remove_from=newest)

    world.pass_time(SETTLED)

    with pytest.raises(InvalidSecretDocument, match=f"`token-refresh restore tokens .* --version {newest}`"):
        world.execute(force=True)
    assert (58, True) == (grant.refreshes, grant.alive)

    world.store.move_label(CURRENT, to=newest, remove_from=old)
    world.pass_time(4 * DAY)
    assert "refreshed" == world.outcome()
    assert (59, True) == (grant.refreshes, grant.alive)


def test_a_forgotten_token_beside_no_living_set_needs_a_consent() -> None:
    """Where the newest tokens were rejected, too, the error says where to look."""
    world, grant = single_use(ClaimStoreKind.TABLE, 4 * DAY)
    old = world.labels()[CURRENT]
    for _ in range(58):
        world.pass_time(4 * DAY)
        assert "refreshed" == world.outcome()
    grant.alive = False
    world.pass_time(4 * DAY)
    with pytest.raises(ReauthorizationRequired):
        world.execute()
    world.store.move_label(CURRENT, to=old, remove_from=world.labels()[CURRENT])
    world.pass_time(SETTLED)

    with pytest.raises(ReauthorizationRequired, match="Look for newer tokens: `token-refresh history"):
        world.execute()
