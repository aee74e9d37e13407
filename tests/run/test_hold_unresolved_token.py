"""The current token may have been used, and the provider's grace is over."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from run.grant import LOST
from run.world import FIRST_CLAIM, World, killed
from testbed.builders import (
    DAY,
    FORCED,
    HOUR,
    MINUTE,
    NOW,
    RUN,
    SINGLE_USE,
    SINGLE_USE_IN_TABLE,
    attempt,
    claim,
    origin,
    policy,
    snapshot,
    token_set,
)
from token_refresh.errors import InvalidEvent, RefreshOutcomeUnknown
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import RunState, TokenSet
from token_refresh_worker.core.steps import AwaitOutcome, Reason, Redeem, Step, Wait
from token_refresh_worker.oauth.response import FailedRequest, FailureKind

SECOND = timedelta(seconds=1)


def unresolved(*, grace: timedelta = DAY) -> Claim:
    return claim(fate=Fate.UNKNOWN, claimed_at=NOW - HOUR, grace=grace)


def test_a_token_of_unknown_outcome_is_held_until_the_last_quarter() -> None:
    """At a single-use provider a replay may revoke the grant, so it is made when there is little to lose."""
    current = token_set(expires_at=NOW + 4 * HOUR)
    held = snapshot(unresolved(grace=timedelta(0)), current=current)

    hold = AwaitOutcome(NOW - HOUR, NOW + 2 * HOUR, "c1")
    assert [hold, hold] == [plan(held, run, SINGLE_USE) for run in (RUN, FORCED)]
    late = snapshot(unresolved(grace=timedelta(0)), now=NOW + 2 * HOUR, current=current)
    assert isinstance(plan(late, RUN, SINGLE_USE), Redeem)
    nothing_to_lose = snapshot(unresolved(grace=timedelta(0)), current=token_set(accessToken=None))
    assert isinstance(plan(nothing_to_lose, RUN, SINGLE_USE), Redeem)


@pytest.mark.parametrize(
    "another_job",
    [
        {"issued_at": None},
        {"issued_at": NOW - 20 * DAY, **origin(lifetime=DAY)},
        {"issued_at": NOW - 20 * DAY, **origin(lifetime=DAY, grant_began_at=NOW - 20 * DAY, grant_ends_at=NOW - DAY)},
    ],
)
def test_a_hold_needs_no_time_of_issue(another_job: dict[str, Any]) -> None:
    """A job that stores tokens may leave an old one, or none: neither makes the last quarter begin in the past."""
    current = token_set(expires_at=NOW + 4 * HOUR, **another_job)
    known = replace(SINGLE_USE, refresh_window=2 * DAY, lifetime=DAY, idle=14 * DAY)

    step = plan(snapshot(unresolved(grace=timedelta(0)), current=current), RUN, known)

    assert AwaitOutcome(NOW - HOUR, NOW + 2 * HOUR, "c1") == step


@pytest.mark.parametrize(("lifetime", "held"), [(3 * HOUR, 3 * HOUR), (None, DAY)])
@pytest.mark.parametrize("of_set", [None, 5 * HOUR])
def test_without_an_expiry_it_is_held_as_long_as_an_access_token_lives(
    lifetime: timedelta | None, held: timedelta, of_set: timedelta | None
) -> None:
    """As long as the last one lived, or as is documented, from the first attempt on; a day where nobody knows."""
    unknown = token_set(expires_at=None, **(origin(grace=timedelta(0), lifetime=of_set) if of_set else {}))
    known = replace(SINGLE_USE, lifetime=lifetime)
    lives = of_set or held

    def step_after(passed: timedelta) -> Step:
        return plan(snapshot(unresolved(grace=timedelta(0)), now=NOW - HOUR + passed, current=unknown), RUN, known)

    assert AwaitOutcome(NOW - HOUR, NOW - HOUR + lives, "c1") == step_after(lives - SECOND)
    assert isinstance(step_after(lives), Redeem)


def test_no_hold_outlasts_the_access_token() -> None:
    """After its expiry a replay costs no token that is alive: what waits then is the backoff."""
    tried = claim(fate=Fate.UNKNOWN, claimed_at=NOW - SECOND, number=9, grace=timedelta(0))
    late = snapshot(tried, now=NOW, current=token_set(expires_at=NOW))

    step = plan(late, RUN, SINGLE_USE)

    assert isinstance(step, Wait)
    assert Reason.BACKOFF is step.reason


def test_the_newest_attempt_of_unknown_outcome_is_named() -> None:
    """A run that names an older one, or an attempt that redeemed nothing, sends nothing."""
    earlier = (
        attempt("a", Fate.UNKNOWN, claimed_at=NOW - 3 * HOUR),
        attempt("b", Fate.NO_RESULT, claimed_at=NOW - 2 * HOUR),
    )
    newest = claim("c", fate=Fate.NOT_REDEEMED, earlier=earlier, number=3, grace=timedelta(0))
    held = snapshot(newest, current=token_set(expires_at=NOW + 4 * HOUR))

    def steps(*named: str) -> list[Step]:
        return [plan(held, RunState(nonce="n", resend=claim_id), SINGLE_USE) for claim_id in named]

    assert [AwaitOutcome(NOW - 3 * HOUR, NOW + 2 * HOUR, "b")] * 3 == steps("a", "c", "x")
    (step,) = steps("b")
    assert isinstance(step, Redeem)
    assert step.claim.forced


def test_naming_an_attempt_has_the_limit_of_forced_claims() -> None:
    """A caller of the function names at most as many attempts a day as it may force."""
    due, fresh = (token_set(expires_at=NOW + hours * HOUR) for hours in (4, 24))
    newest = claim(fate=Fate.UNKNOWN, claimed_at=NOW - HOUR, grace=timedelta(0), forced=True)
    limited = RunState(nonce="n", resend="c1", forced_claims_a_day=1)

    assert isinstance(plan(snapshot(newest, current=due), limited, SINGLE_USE), AwaitOutcome)
    assert Wait(NOW + 23 * HOUR, Reason.FORCED_LIMIT) == plan(snapshot(newest, current=fresh), limited, SINGLE_USE)


def test_within_the_grace_nothing_is_held() -> None:
    """The provider accepts the token until its grace is over."""
    current = token_set(expires_at=NOW + 4 * HOUR)

    assert isinstance(plan(snapshot(unresolved(), current=current), RUN, policy(grace=HOUR + SECOND)), Redeem)
    assert isinstance(plan(snapshot(unresolved(), current=current), RUN, policy(grace=HOUR)), AwaitOutcome)


@pytest.mark.parametrize(
    ("current", "newest_grace"),
    [
        (token_set(expires_at=NOW + 4 * HOUR, **origin(grace=timedelta(0))), DAY),
        (token_set(expires_at=NOW + 4 * HOUR), timedelta(0)),
    ],
)
def test_the_smaller_grace_counts(current: TokenSet, newest_grace: timedelta) -> None:
    """The document's, or without the key the newest claim's: another deployment's settings raise nothing."""
    stored = unresolved(grace=newest_grace)

    assert isinstance(plan(snapshot(stored, current=current), RUN, policy(grace=DAY)), AwaitOutcome)


def test_a_hold_lasts_until_a_claim_is_allowed() -> None:
    """It names the moment at which the token can really be sent: the daily limit counts, and the newest attempt."""
    settings = policy(grace=0 * HOUR)
    full = tuple(attempt(f"s{n}", Fate.NOT_REDEEMED, version_id="w") for n in range(40))
    unknown = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, earlier=full)
    earlier = attempt("e", Fate.UNKNOWN, number=12, claimed_at=NOW - MINUTE)

    assert AwaitOutcome(NOW - MINUTE, NOW + 23 * HOUR, "c1") == plan(snapshot(unknown), RunState(), settings)
    newest = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, earlier=(earlier,))
    assert isinstance(plan(snapshot(newest), RunState(), settings), Redeem)


CLIENT_REJECTED = FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401")


@pytest.mark.parametrize("edited", [False, True])
def test_after_an_unknown_outcome_every_run_alarms_and_sends_nothing(*, edited: bool) -> None:
    """A held refresh raises in every run, and the access token stays in use; an edited copy clears nothing."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_claim()
    if edited:
        world.save(note="edited", expires_at=NOW + 7 * HOUR)

    for _ in range(2):
        with pytest.raises(RefreshOutcomeUnknown, match=r"next scheduled attempt is after 2026-11-24 17:00:00 UTC"):
            world.execute()
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute(force=True)
    assert 1 == len(world.endpoint.requests)
    assert "refreshed" == world.outcome(resend=FIRST_CLAIM)


def lost(world: World, *, force: bool = False) -> str:
    """Lose the response to the next request; return what the error says."""
    world.endpoint.responses.append(LOST)
    with pytest.raises(RefreshOutcomeUnknown) as raised:
        world.execute(force=force)
    return str(raised.value)


def named(said: str) -> str:
    """Return the claim ID that an error names."""
    found = re.search(r"--resend ([0-9a-f-]{36})`", said)
    assert found
    return found[1]


@pytest.mark.parametrize("settings", [SINGLE_USE, SINGLE_USE_IN_TABLE], ids=["versions", "table"])
def test_an_event_that_comes_three_times_redeems_once(settings: Policy) -> None:
    """The second delivery finds an attempt of unknown outcome that it doesn't name, and says which one it is."""
    world = World(policy=settings, expires_at=NOW + 7 * HOUR)
    resend = named(lost(world))
    world.endpoint.responses.append(LOST)

    said = set()
    for _ in range(3):
        with pytest.raises(RefreshOutcomeUnknown) as raised:
            world.execute(force=True, resend=resend)
        said.add(named(str(raised.value)))
    assert (2, 1) == (len(world.endpoint.requests), len(said - {resend}))


def test_the_message_puts_what_risks_nothing_first() -> None:
    """Waiting and authorizing come first; then the command that sends the token again, with its risk."""
    world = World(policy=SINGLE_USE, expires_at=NOW + 7 * HOUR)
    at_once = lost(world)

    with pytest.raises(RefreshOutcomeUnknown) as later:
        world.execute()

    first, then, risk = "wait, or get a new grant with", "`token-refresh authorize tokens", "revoke the grant, run"
    command = f"`token-refresh refresh tokens --region eu-central-1 --resend {named(at_once)}`"
    for said in (at_once, str(later.value)):
        assert re.search(f"{first}.*{then}.*{risk}.*{command}", said, re.DOTALL)
        assert "--force" not in said


@pytest.mark.parametrize("edited", [False, True])
def test_a_replay_is_sent_only_within_the_grace_since_the_first_unknown_attempt(*, edited: bool) -> None:
    """Within a run, and on an edited copy, too, the grace counts from the first request that may have redeemed."""
    world = World(policy=policy(grace=10 * MINUTE), accessToken=None)
    killed(world, "put REFRESH_OUTCOME")
    world.pass_claim()
    if edited:
        world.save(accessToken=None, note="edited")
    world.endpoint.responses = [LOST]

    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 2 == len(world.endpoint.requests)


def test_an_attempt_that_nobody_knows() -> None:
    """An event that names none of the attempts ends with an error, and sends nothing, although a refresh is due."""
    world = World(policy=SINGLE_USE, expires_at=NOW + HOUR)

    with pytest.raises(InvalidEvent, match=r"has no attempt of that ID; nothing was sent\. .*refresh status"):
        world.execute(resend=FIRST_CLAIM)

    assert [] == world.endpoint.requests
    assert "refreshed" == world.outcome()
