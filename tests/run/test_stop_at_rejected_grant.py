"""The provider rejected the refresh token."""

import re
from dataclasses import replace
from datetime import datetime

import pytest

from run.grant import DEAD_GRANT, REJECTED, ended
from run.world import World
from testbed.builders import DAY, HOUR, MINUTE, NOW, RUN, attempt, claim, policy, snapshot, token_set
from token_refresh.errors import ReauthorizationRequired
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import ClaimPause
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.steps import Fresh, Redeem, Rejected, Step
from token_refresh_worker.oauth.response import EndpointResponse
from token_refresh_worker.run.outcome import last_line
from token_refresh_worker.run.run import next_step
from token_refresh_worker.stored.origin import ClaimStoreKind


def test_a_rejection_before_a_failure_blocks_nothing() -> None:
    """Only the newest attempt on the version counts."""
    newest = claim("c2", fate=Fate.NOT_REDEEMED, number=2, earlier=(attempt("c1", Fate.REJECTED),))

    assert isinstance(plan(snapshot(newest), RUN, policy()), Redeem)


def test_a_dead_grant_is_asked_about_again_as_soon_as_a_run_may() -> None:
    """The error names the first moment at which a run really sends: by backoff, daily limit and pause."""
    claimed = attempt("c1", Fate.REJECTED, claimed_at=NOW - 2 * HOUR)
    full = [attempt(f"f{n}", Fate.NOT_REDEEMED, version_id="v9", claimed_at=NOW - 20 * HOUR) for n in range(40)]
    pause = ClaimPause(until=NOW + HOUR, why="maintenance")

    unreached = attempt("c2", Fate.NOT_REDEEMED, claimed_at=NOW - MINUTE, number=2)
    for attempts, held, retry_at in (
        ([claimed], None, None),
        ([claimed], pause, NOW + HOUR),
        ([*full, claimed], None, NOW + 4 * HOUR),
        ([claimed, unreached], None, NOW + MINUTE),
    ):
        resumed = claim("c3", fate=Fate.PAUSED, version_id="c3", earlier=tuple(attempts))
        step = next_step(snapshot(replace(resumed, pause=held)), RUN, policy())

        assert isinstance(step, Redeem) if retry_at is None else Rejected(claimed.claimed_at, retry_at) == step


def test_an_edit_revives_no_grant() -> None:
    """An edited copy of rejected tokens says so until they are due, and is asked about at once then.

    A new consent may bring the same refresh token: what was rejected before it says nothing of the new grant.
    """
    rejected = claim("c1", fate=Fate.REJECTED, version_id="v0", claimed_at=NOW - HOUR)

    def step(issued_at: datetime, expires_at: datetime) -> Step:
        return plan(
            snapshot(rejected, current=token_set("v1", issued_at=issued_at, expires_at=expires_at)), RUN, policy()
        )

    assert Rejected(NOW - HOUR, NOW + 16 * HOUR) == step(NOW - 2 * HOUR, NOW + DAY)
    assert isinstance(step(NOW - 23 * HOUR, NOW + HOUR), Redeem)
    assert isinstance(step(NOW - MINUTE, NOW + DAY), Fresh)


def test_a_lost_response_is_asked_for_again_after_a_rejection() -> None:
    """A request whose outcome is unknown is repeated while the provider allows it, though the tokens are fresh."""
    lost, rejected = (
        attempt(name, fate, claimed_at=NOW - 2 * HOUR) for name, fate in (("c1", Fate.UNKNOWN), ("c2", Fate.REJECTED))
    )
    resumed = claim("c3", fate=Fate.PAUSED, version_id="c3", earlier=(lost, rejected))
    fresh = token_set(issued_at=NOW - 3 * HOUR, expires_at=NOW + DAY)

    step = plan(snapshot(resumed, current=fresh), RUN, policy())

    assert isinstance(step, Redeem)


def test_invalid_grant_stops_every_run_until_somebody_authorizes_again() -> None:
    """A rejected grant is asked about once; a new version of the secret clears it by itself."""
    world = World()
    world.endpoint.responses = [REJECTED]

    said = (
        " at 2026-11-24 12:00:00 UTC; the next scheduled attempt is after 2026-11-24 13:00:00 UTC. "
        "Get a new grant with `token-refresh authorize tokens --region eu-central-1`"
    )
    for how in (" (HTTP 400 with invalid_grant)", "", ""):  # what the first run saw, a later one did not see
        with pytest.raises(ReauthorizationRequired, match=re.escape(f"secret tokens in eu-central-1{how}{said}")) as e:
            world.execute()
        assert NOW + HOUR == e.value.retry_at, "for whoever calls `refresh`"
    assert 1 == len(world.endpoint.requests)
    assert (Fate.REJECTED, "invalid_grant") == (world.record().fate, world.record().error)

    world.save(refreshToken="new grant")
    assert "refreshed" == world.outcome()


@pytest.mark.parametrize("store", ClaimStoreKind)
def test_a_dead_grant_stays_dead_while_its_tokens_are_fresh(store: ClaimStoreKind) -> None:
    """A forced run finds it, each later one says so and sends nothing, until the tokens are due and one asks again.

    The metric is what the alarm goes by. A provider that can't be reached says nothing new about the grant.
    """
    world = World(policy=policy(claim_store=store), issued_at=NOW, expires_at=NOW + DAY)
    said = []
    for hours, responses in DEAD_GRANT:
        outcome = ended(world, hours, responses)
        metric = last_line(outcome, trigger="schedule", secret_id="tokens", duration_ms=1)["ReauthorizationRequired"]
        said.append((outcome.error_type, metric))

    dead, unreached = ("ReauthorizationRequired", 1), ("TokenEndpointUnavailable", 0)
    assert [dead, dead, unreached, dead, dead, dead] == said


def test_a_redemption_that_was_lost_to_another_refresher_is_named() -> None:
    """After `invalid_grant` the state is read again: other tokens that are current by now are adopted."""
    world = World()

    def replaced() -> EndpointResponse:
        world.save(refreshToken="theirs", expires_at=NOW + DAY)
        return REJECTED

    world.endpoint.responses = [replaced]

    assert "superseded" == world.outcome()
    assert "theirs" == world.current()["refreshToken"]
    assert "refresh_superseded" in world.log.events
