"""A pause is a claim under which nobody redeems: it holds back what sends a request, and nothing else."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from testbed.builders import DAY, HOUR, MINUTE, NOW, claim, policy, snapshot, token_set
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import CLOCK_ERROR, Fate
from token_refresh_worker.core.claims import (
    LONGEST_PAUSE,
    LONGEST_REASON,
    Claim,
    ClaimPause,
    KeptTokens,
    read_claim,
    write_claim,
)
from token_refresh_worker.core.moves import arrival, fence
from token_refresh_worker.core.pauses import apply_pause, pause_claim, pause_of, repeat_allowed_until
from token_refresh_worker.core.plan import replace_lost_table
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.steps import (
    AwaitOutcome,
    Fresh,
    Promote,
    Publish,
    Reason,
    Redeem,
    Rejected,
    ReplaceLostTable,
    RestageOnEdited,
    SettingsMismatch,
    Step,
    StoreKeptTokens,
    TokenUsed,
    Wait,
)
from token_refresh_worker.stored.origin import IN_VERSIONS, StoreName, in_table

PAUSE = ClaimPause(until=NOW + HOUR, why="maintenance")


def paused(store: StoreName = IN_VERSIONS, pause: ClaimPause = PAUSE) -> Claim:
    return pause_claim(snapshot(claim(fate=Fate.NOT_REDEEMED)), store, pause, nonce="nonce")


@pytest.mark.parametrize(
    "step",
    [Fresh(), Wait(NOW + MINUTE, Reason.BACKOFF), Redeem(claim(), None), ReplaceLostTable(claim(), None)],
    ids=lambda step: type(step).__name__,
)
def test_what_a_pause_holds_back(step: Step) -> None:
    """What sends a request, or reports that nothing is due, waits until the pause ends, and not longer."""
    held = snapshot(paused())

    assert Wait(NOW + HOUR, Reason.PAUSED) == apply_pause(step, held)
    assert step is apply_pause(step, replace(held, now=NOW + HOUR))
    assert step is apply_pause(step, snapshot())


@pytest.mark.parametrize(
    "step",
    [
        StoreKeptTokens(KeptTokens(claim=claim(), stored={}), needed=True),
        Promote(token_set()),
        RestageOnEdited(token_set(), "c"),
        Publish(),
        AwaitOutcome(NOW, NOW + DAY, "c"),
        SettingsMismatch("TOKEN_ENDPOINT", "a", "b"),
        TokenUsed(NOW),
        Rejected(NOW, NOW + DAY),
    ],
    ids=lambda step: type(step).__name__,
)
def test_what_goes_on_in_a_pause(step: Step) -> None:
    """What has arrived is stored and published, and what needs a person stays an error."""
    assert step == apply_pause(step, snapshot(paused()))


def test_no_attempt_is_announced_before_a_pause_ends() -> None:
    """An error that says when a run tries again names no time within the pause."""
    until, held = NOW + HOUR, snapshot(paused())

    assert AwaitOutcome(NOW, until, "c") == apply_pause(AwaitOutcome(NOW, NOW + MINUTE, "c"), held)
    assert Rejected(NOW, until) == apply_pause(Rejected(NOW, NOW + MINUTE), held)


def test_no_pause_is_for_good() -> None:
    """Whatever is stored as a pause, it ends within a week, and its reason has a limit."""
    endless = paused(pause=ClaimPause(until=NOW + 365 * DAY, why="x" * 1000))

    found = read_claim(endless.claim_id, write_claim(endless), NOW)

    assert found is not None
    assert found.pause is not None
    assert (NOW + LONGEST_PAUSE, LONGEST_REASON) == (found.pause.until, len(found.pause.why))


@pytest.mark.parametrize("pause", [5, [], ["soon", "why"], [1], {"until": 1}])
def test_a_damaged_pause_is_no_claim(pause: object) -> None:
    """It counts as an unreadable claim, which ends after an hour."""
    fields = json.loads(write_claim(paused()).reveal()) | {"pause": pause}

    assert read_claim("c", SecretValue(json.dumps(fields)), NOW) is None


def test_a_pause_moves_with_the_claims() -> None:
    """Claims that move to another store take the pause along."""
    moving = fence(snapshot(paused()), IN_VERSIONS, in_table("claims"), above=0, nonce="nonce")
    arrived = arrival(moving, base="v0", nonce="nonce")

    found = pause_of(snapshot(read_claim(arrived.claim_id, write_claim(arrived), NOW)))

    assert found is not None
    assert PAUSE.until == found.until
    assert pause_of(snapshot(arrived, now=NOW + HOUR + timedelta(seconds=1))) is None


def test_a_pause_from_the_future_holds_nothing() -> None:
    """No run and no command made it, and it would hold back refreshes until then."""
    made, ahead = paused(), NOW + 36500 * DAY
    forged = replace(made, claimed_at=ahead, pause=ClaimPause(until=ahead + DAY, why="forged"))

    assert pause_of(snapshot(forged)) is None
    assert fence(snapshot(forged), IN_VERSIONS, in_table("claims"), above=0, nonce="nonce").pause is None
    assert pause_of(snapshot(replace(made, claimed_at=NOW + CLOCK_ERROR))) is not None


def test_a_lost_table_ends_no_pause() -> None:
    """The claim that stands for lost ones carries a pause on, and stays a claim that may be open."""
    step = replace_lost_table(snapshot(paused()), RunState(nonce="nonce"), policy())

    found = read_claim(step.claim.claim_id, write_claim(step.claim), NOW)

    assert found is not None
    assert PAUSE == found.pause
    assert Fate.NO_RESULT is found.fate
    assert replace_lost_table(snapshot(paused(), now=PAUSE.until), RunState(), policy()).claim.pause is None


def test_until_when_a_request_may_be_repeated() -> None:
    """Within the grace of the first attempt of unknown outcome on the token, and where there is one."""
    lost = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE)

    assert NOW - MINUTE + HOUR == repeat_allowed_until(snapshot(lost), policy(grace=HOUR))
    assert repeat_allowed_until(snapshot(lost), policy(grace=MINUTE)) is None
    assert repeat_allowed_until(snapshot(), policy(grace=HOUR)) is None


def test_a_pause_takes_a_version_where_claims_are_versions() -> None:
    """And none beside a table; nobody redeems under it."""
    assert "nonce" == paused().nonce
    assert (1, 0) == (paused().versions, paused(in_table("claims")).versions)
    assert not Fate.PAUSED.is_attempt
