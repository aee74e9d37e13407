"""Another run may be redeeming. Its claim is found, wherever its label is, and ends by itself."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from run.grant import refused_versions
from run.world import CLAIM_LIFE, FIRST_CLAIM, World, killed
from testbed.builders import (
    DAY,
    FORCED,
    HOUR,
    IN_TABLE,
    MINUTE,
    NOW,
    SINGLE_USE,
    SINGLE_USE_IN_TABLE,
    attempt,
    claim,
    mark,
    origin,
    policy,
    snapshot,
    token_set,
)
from token_refresh.errors import (
    ConfigurationError,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
    ResponseKept,
    TokenRefreshError,
)
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import CLOCK_ERROR, Fate
from token_refresh_worker.core.claims import write_claim
from token_refresh_worker.core.plan import LOST_CLAIMS, plan
from token_refresh_worker.core.schedule import SETTLED, Policy
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.steps import Reason, Redeem, ReplaceLostTable, Wait
from token_refresh_worker.core.versions import CLAIM, claim_version_id, unheld_claim_id
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, in_table

SECOND = timedelta(seconds=1)


def test_a_claim_from_the_far_future_is_not_waited_for() -> None:
    """The service never gives a time that is over an hour ahead of its clock."""
    ahead = claim(claimed_at=NOW + CLOCK_ERROR)
    too_far = claim(claimed_at=NOW + CLOCK_ERROR + SECOND)

    assert isinstance(plan(snapshot(ahead), FORCED, policy()), Wait)
    assert isinstance(plan(snapshot(too_far), FORCED, policy()), Redeem)


def test_a_named_claim_that_can_not_be_read_is_waited_for() -> None:
    """The current version names a claim that a stale read does not show yet; after nine minutes it was pruned."""
    named = token_set(stored_at=NOW - SETTLED + SECOND, **origin(claim_id="c" * 36, number=5))

    assert Wait(NOW + SECOND, Reason.UNREADABLE) == plan(snapshot(current=named), FORCED, policy())
    pruned = plan(snapshot(now=NOW + SECOND, current=named), FORCED, policy())
    assert isinstance(pruned, Redeem)
    assert (claim_version_id("c" * 36), 6, "c" * 36) == (pruned.claim.claim_id, pruned.claim.number, pruned.after)


def test_a_lost_table_is_replaced() -> None:
    """The table is behind the document: the claims that it may have held count as attempts of unknown outcome."""
    named = token_set(**origin(claim_id="c" * 36, number=5, claim_store=ClaimStoreKind.TABLE))
    behind = claim("c0", fate=Fate.NOT_REDEEMED, claim_number=2)

    for newest, after in ((None, None), (behind, "c0")):
        step = plan(snapshot(newest, current=named), FORCED, IN_TABLE)

        assert isinstance(step, ReplaceLostTable)
        assert (after, 5 + LOST_CLAIMS + 1, False) == (step.after, step.claim.number, step.claim.forced)
        lost = step.claim.earlier[-LOST_CLAIMS:]
        assert claim_version_id("c" * 36) == lost[0].claim_id
        assert claim_version_id(lost[0].claim_id) == lost[1].claim_id
        assert {(Fate.NO_RESULT, "v0", mark("refresh-0"))} == {(a.fate, a.version_id, a.fingerprint) for a in lost}
        assert {(named.stored_at, 1)} == {(a.claimed_at, a.versions) for a in lost}
        assert step.claim.claim_id not in {a.claim_id for a in lost}


def test_what_replaces_a_lost_table_is_a_first_attempt_that_nobody_holds() -> None:
    """Its ID follows from the nonce alone, and the lost claims count as first attempts."""
    current = token_set(**origin(claim_id="c" * 36, number=4, claim_store=IN_TABLE.claim_store))
    restored = claim(fate=Fate.REJECTED, number=3, claim_number=2)

    step = plan(snapshot(restored, current=current, now=NOW + 2 * HOUR), RunState(nonce="n"), IN_TABLE)

    assert isinstance(step, ReplaceLostTable)
    assert {1} == {a.attempt_number for a in (step.claim, *step.claim.earlier) if a.claim_id != restored.claim_id}
    assert unheld_claim_id("n") == step.claim.claim_id


@pytest.mark.parametrize("policy", [SINGLE_USE, SINGLE_USE_IN_TABLE])
def test_a_grant_that_ends_first_outlives_a_claim(policy: Policy) -> None:
    """A refresh token of half an hour, whose access token lives longer, is sent before its end after a crash, too."""
    ends_at = NOW + 30 * MINUTE
    grant = origin(grace=policy.replay_grace, claim_store=policy.claim_store, grant_began_at=NOW, grant_ends_at=ends_at)
    world = World(policy=policy, issued_at=NOW, expires_at=NOW + HOUR, **grant)
    world.pass_time(20 * MINUTE)
    killed(world, "append claim" if world.table else "put REFRESH_CLAIM", after=True)

    while world.clock.service_now < ends_at and not world.endpoint.requests:
        with suppress(RefreshOutcomeUnknown):  # between the end of the claim and the last quarter
            world.execute()
        world.pass_time(MINUTE)

    assert len(world.endpoint.requests) == 1


def test_a_run_that_died_with_its_claim_holds_others_off_until_it_ends() -> None:
    """A dead run's claim makes others yield, and says until when; then the next run refreshes."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)

    ended = world.execute()

    assert ("yielded", NOW + CLAIM_LIFE) == (ended.name, ended.retry_at)
    assert world.labels()["AWSCURRENT"] == ended.tokens.version_id
    world.pass_claim()
    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("spoilt", ["[]", "{}", '{"earlier": 7}'])
def test_a_label_on_something_else_is_no_claim(spoilt: str) -> None:
    """The run starts from the claim that the document names."""
    world = World()
    world.execute()
    world.store.put("9" * 32, SecretValue(spoilt), label=CLAIM)

    assert "refreshed" == world.outcome(force=True)
    assert claim_version_id(FIRST_CLAIM) == world.labels()[CLAIM]


CLAIM_FIELDS = json.loads(write_claim(claim(version_id="v")).reveal())


@pytest.mark.parametrize("label", [CLAIM, "SQUATTER"])
@pytest.mark.parametrize(
    "stored",
    [
        json.dumps(CLAIM_FIELDS | {"ttl_seconds": 1e11}),
        json.dumps(CLAIM_FIELDS | {"ttl_seconds": "soon"}),
        json.dumps(CLAIM_FIELDS | {"earlier": 1}),
        "[]",
        "not JSON",
    ],
)
def test_nothing_that_is_stored_as_a_claim_blocks_for_longer_than_an_hour(stored: str, label: str) -> None:
    """A claim that is unreadable or lasts for ever may hide a run: it counts for an hour, and then as silent."""
    world = World()
    world.store.put(FIRST_CLAIM, SecretValue(stored), label=label)
    assert ["yielded", "yielded"] == [world.outcome(), world.outcome()]

    world.pass_time(HOUR)

    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("that the current token was used", ReauthorizationRequired),
        ("that a response to it can't be read", ResponseKept),
        ("that the token belongs to another host", ConfigurationError),
        ("that the claims are being moved", ConfigurationError),
    ],
)
def test_a_false_claim_that_lasts_until_a_person_acts(says: str, error: type[TokenRefreshError]) -> None:
    """SECURITY.md names these four. None ends by itself; a new grant ends three, and completing the move the last."""
    world = World()
    version_id, token = world.labels()["AWSCURRENT"], world.current()["refreshToken"]
    on_it = partial(attempt, "c" * 36, version_id=version_id, claimed_at=NOW - 2 * DAY, token=token)
    plain = claim(FIRST_CLAIM, version_id="v", time_to_live=timedelta(seconds=1))
    forged = {
        "that the current token was used": replace(plain, earlier=(on_it(brought="another"),)),
        "that a response to it can't be read": replace(plain, earlier=(on_it(Fate.UNREAD),)),
        "that the token belongs to another host": replace(plain, host="another.example"),
        "that the claims are being moved": replace(plain, fate=Fate.MOVED, moved_to=in_table("another")),
    }
    world.store.put(FIRST_CLAIM, write_claim(forged[says]), label=CLAIM)
    assert says in (Path(__file__).parents[2] / "SECURITY.md").read_text()
    for _ in range(3):
        world.pass_time(30 * DAY)
        with pytest.raises(error):
            world.outcome(force=True)
    assert [] == world.endpoint.requests

    if says == "that the claims are being moved":
        world.move(in_table("another"))
    else:
        world.authorize(IN_VERSIONS)

    assert "refreshed" == world.outcome(force=True)


@pytest.mark.parametrize("fate", ["silent", "not_redeemed", "rejected", "unknown"])
def test_a_ledger_from_the_future_blocks_nothing(fate: str) -> None:
    """Entries that no clock of AWS can have written don't count towards a limit, a backoff or a hold."""
    world = World()
    entry = attempt("c" * 36, Fate(fate), version_id=world.labels()["AWSCURRENT"], claimed_at=NOW + 5000 * DAY)
    forged = claim(FIRST_CLAIM, version_id="v", time_to_live=timedelta(seconds=1), earlier=(entry,) * 40)
    world.store.put(FIRST_CLAIM, write_claim(forged), label=CLAIM)
    world.pass_time(MINUTE)

    assert "refreshed" == world.outcome()


# A forced run polls.


def test_a_forced_run_waits_for_another_s_result() -> None:
    """A forced run that meets another's open claim polls until the other's tokens are stored, and promotes them."""
    world = World()
    killed(world, "put REFRESH_OUTCOME", after=True)
    staged = world.model.snapshot()
    world = World()
    killed(world, "put REFRESH_OUTCOME")

    with world.at("read AWSCURRENT", lambda: world.model.restore(staged), nth=4):
        assert "recovered" == world.outcome(force=True)
    assert 3 == len(world.clock.slept)


def test_a_forced_run_polls_ever_more_rarely_until_its_own_deadline() -> None:
    """It waits 1, 2, 4, then 8 seconds between looks, writes nothing, and yields in the end."""
    world = World()
    killed(world, "put REFRESH_CLAIM", after=True)
    refused = refused_versions(world)
    world.store.calls.clear()

    assert "yielded" == world.outcome(force=True, time_left_seconds=30.5)

    assert [1.0, 2.0, 4.0, 8.0, 8.0, 7.5] == world.clock.slept
    assert 45 > len(world.store.calls)
    assert [] == refused
