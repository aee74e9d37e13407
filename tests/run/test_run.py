"""Runs on a faithful store in memory: each test is a history of the secret, and what the next run makes of it."""

from datetime import timedelta

import pytest

from builders import DAY, HOUR, MINUTE, NOW, ms, origin
from fakes import tokens
from token_refresh.errors import SecretEmpty
from token_refresh_worker.core.versions import CLAIM, OUTCOME, staged_version_id
from token_refresh_worker.oauth.response import FailedRequest, Kind, Response
from world import FIRST_CLAIM, World, killed


def test_a_due_token_set_is_refreshed() -> None:
    """A due run reads twice, claims, redeems once, stages and promotes: 5 calls, 3 of them writes."""
    world = World(other=[1])
    first = world.labels()["AWSCURRENT"]

    settled = world.execute()

    assert "refreshed" == settled.name
    expected = {"accessToken": "access-1", "refreshToken": "refresh-1", "expiresAt": ms(NOW + DAY), "issuedAt": ms(NOW)}
    others = {"clientId": "client", "clientSecret": "hush", "other": [1]}
    assert others | expected | origin(claim_id=FIRST_CLAIM, number=1) == world.current()
    staged = staged_version_id(FIRST_CLAIM, first)
    assert {"AWSCURRENT": staged, "AWSPREVIOUS": first, CLAIM: FIRST_CLAIM, OUTCOME: staged} == world.labels()
    assert [
        "read AWSCURRENT",
        "read REFRESH_CLAIM",
        "put REFRESH_CLAIM",
        "put REFRESH_OUTCOME",
        "move AWSCURRENT",
    ] == world.store.calls
    assert (1, 1) == (len(world.endpoint.requests), world.credentials_read)


def test_what_is_sent_is_the_current_refresh_token_with_the_client_s_credentials() -> None:
    """The request has the refresh token that is current, and authenticates with what the document's client is given."""
    world = World(clientId="theirs")
    world.execute()
    world.execute(force=True)

    client = {"client_id": "theirs", "client_secret": "hush"}
    sent = [{"grant_type": "refresh_token", "refresh_token": f"refresh-{number}"} | client for number in range(2)]
    assert [(form, {}) for form in sent] == [(request.fields, request.headers) for request in world.endpoint.requests]


def test_new_tokens_live_from_when_their_request_was_sent() -> None:
    """The time of issue is when the request that brought the tokens was sent: not the first one, nor any later."""
    world = World()
    world.pass_time(MINUTE)

    def slowly() -> Response:
        world.pass_time(timedelta(seconds=5))
        return tokens()

    world.endpoint.responses = [
        FailedRequest(kind=Kind.BUSY, seen="HTTP 429", retry_after=timedelta(seconds=17)),
        slowly,
    ]

    assert "refreshed" == world.outcome()
    sent_at = NOW + MINUTE + timedelta(seconds=17)
    assert (ms(sent_at), ms(sent_at + DAY)) == (world.current()["issuedAt"], world.current()["expiresAt"])


def test_a_fresh_token_set_costs_two_reads() -> None:
    """A run that finds the token fresh reads twice and does nothing else."""
    world = World()
    world.execute()
    world.store.calls.clear()

    assert "fresh" == world.outcome()
    assert ["read AWSCURRENT", "read REFRESH_CLAIM"] == world.store.calls


def test_a_fresh_token_set_that_somebody_stored_costs_four_reads() -> None:
    """After another claim, a run also reads what is stored under it: this could be the tokens that follow."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")
    world.save(refreshToken="other", expires_at=NOW + DAY)
    world.store.calls.clear()

    assert "fresh" == world.outcome()
    assert ["read AWSCURRENT", "read REFRESH_CLAIM", "read version", "read version"] == world.store.calls


def test_a_secret_without_a_value_is_named() -> None:
    """A secret that nobody filled yet is an error that says what to do."""
    with pytest.raises(
        SecretEmpty,
        match=r"^secret tokens in eu-central-1 has no value yet; store the first token set with "
        r"`token-refresh authorize tokens --region eu-central-1`$",
    ):
        World(stored=False).execute()


def test_a_forced_run_refreshes_what_is_fresh() -> None:
    """Force refreshes once, though nothing is due, and right after another refresh."""
    world = World()
    world.execute()

    assert "refreshed" == world.outcome(force=True)
    assert ("access-2", 2) == (world.current()["accessToken"], len(world.endpoint.requests))


@pytest.mark.parametrize("due", [True, False])
def test_a_dry_run_says_what_it_would_do_and_writes_nothing(due: bool) -> None:  # noqa: FBT001 - a table
    """A dry run of a due or forced refresh writes and sends nothing."""
    world = World(expires_at=NOW + (HOUR if due else DAY))
    before = world.model.snapshot()

    settled = world.execute(dry_run=True, force=not due)

    assert ("would_refresh", world.labels()["AWSCURRENT"]) == (settled.name, settled.tokens.version_id)
    assert (before, []) == (world.model.snapshot(), world.endpoint.requests)


def test_a_dry_run_of_a_fresh_secret_is_fresh() -> None:
    """Nothing due, nothing forced: a dry run says fresh and writes nothing."""
    world = World()
    world.execute()
    before = world.model.snapshot()

    assert "fresh" == world.outcome(dry_run=True)
    assert before == world.model.snapshot()


def test_a_dry_run_says_that_it_would_recover() -> None:
    """A dry run that finds tokens of an interrupted run says so and writes nothing."""
    world = World()
    killed(world, "move AWSCURRENT")
    before = world.model.snapshot()

    assert "would_recover" == world.outcome(dry_run=True)
    assert before == world.model.snapshot()


def test_a_dry_run_does_not_wait_for_another_s_claim() -> None:
    """A forced dry run that meets a live claim says so at once."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")

    assert "yielded" == world.outcome(dry_run=True, force=True)
    assert [] == world.clock.slept
