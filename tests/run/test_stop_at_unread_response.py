"""A response that can't be read is kept before anything else happens, and its token is not sent again."""

import json
from datetime import timedelta
from typing import Any

import pytest

from run.grant import REJECTED
from run.world import FIRST_CLAIM, Killed, World, fail, killed
from testbed.builders import DAY, HOUR, NOW, RUN, SINGLE_USE, SINGLE_USE_IN_TABLE, attempt, claim, snapshot
from testbed.fakes import SECRET_ID
from token_refresh.errors import InvalidTokenResponse, ResponseKept, SecretStoreUnavailable, TokensKept
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_admin.changes.recover import UnreadResponse
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.steps import StopAtUnread
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.oauth.unread import read_unread, write_unread
from token_refresh_worker.providers.loader import load_provider

RAW = b'HTTP/1.1 200 OK\r\n\r\n{"data":{"accessToken":"a1","refreshToken":"r1"}}'


def unread(raw: bytes = RAW) -> FailedRequest:
    return FailedRequest(kind=FailureKind.UNREADABLE, seen="HTTP 200 with no object", unread=write_unread(raw))


def world_of(policy: Policy, **how: Any) -> World:
    world = World(policy=policy, **how)
    world.endpoint.responses.append(unread())
    return world


def refuse(name: str) -> None:
    if name.startswith("put REFRESH_OUTCOME"):
        raise SecretStoreUnavailable("down")


def kept_in(world: World) -> bytes | None:
    secret = world.model.find(SECRET_ID)
    values = [SecretValue(str(version.value)) for version in secret.versions] if secret else []
    return next((found for value in values if (found := read_unread(value)) is not None), None)


def test_the_newest_kept_response_is_named() -> None:
    """With the time of its request, until a person recovers its tokens."""
    first = attempt("a", Fate.UNREAD, claimed_at=NOW - 2 * HOUR)
    newest = claim("b", fate=Fate.UNREAD, claimed_at=NOW - HOUR, earlier=(first,), grace=timedelta(0))

    assert StopAtUnread(NOW - HOUR, "b") == plan(snapshot(newest), RUN, SINGLE_USE)


@pytest.mark.parametrize("policy", [SINGLE_USE, SINGLE_USE_IN_TABLE])
def test_a_response_that_cannot_be_read_is_kept(policy: Policy) -> None:
    """Its bytes are in the secret, the error names the command, and the token is sent no more, also after expiry."""
    world = world_of(policy)

    with pytest.raises(
        ResponseKept, match=r"read \(HTTP 200 with no object\)\. It may .*`token-refresh recover"
    ) as raised:
        world.execute()

    assert "a1" not in str(raised.value)
    commands = [line for line in str(raised.value).split("`") if line.startswith("token-refresh ")]
    assert ["recover", "authorize", "refresh"] == [line.split()[1] for line in commands]
    assert RAW == kept_in(world)
    for passed in (HOUR, 8 * HOUR, DAY, 30 * DAY):
        world.pass_time(passed)
        with pytest.raises(ResponseKept):
            world.execute(force=True)
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize("policy", [SINGLE_USE, SINGLE_USE_IN_TABLE])
def test_a_run_that_died_before_its_record_keeps_the_response(policy: Policy) -> None:
    """It is stored before the record says so: once the claim has ended, runs find it."""
    world = world_of(policy)
    killed(world, "put REFRESH_OUTCOME", after=True)

    assert "yielded" == world.outcome()
    world.pass_claim()

    with pytest.raises(ResponseKept):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_a_kept_response_outlives_a_repeat_that_died() -> None:
    """A run that sent the token again and died leaves the first response kept, and the token is sent no more."""
    world = world_of(SINGLE_USE)
    with pytest.raises(ResponseKept):
        world.execute()
    with world.at("put REFRESH_OUTCOME", fail(Killed())), pytest.raises(Killed):
        world.execute(resend=FIRST_CLAIM)
    world.pass_claim()

    with pytest.raises(ResponseKept):
        world.execute()

    assert RAW == kept_in(world)
    assert 2 == len(world.endpoint.requests)


def test_at_a_provider_with_a_grace_the_request_is_repeated() -> None:
    """The response is kept, and the next one is read; the ledger counts the version that it takes."""
    world = World()
    world.endpoint.responses.append(unread())

    assert "refreshed" == world.outcome()
    assert RAW == kept_in(world)
    assert 2 == len(world.endpoint.requests)


def test_within_the_grace_the_next_run_repeats() -> None:
    """A run whose four requests could not be read leaves it to the next one, which counts three versions for it."""
    world = World()
    world.endpoint.responses += [unread()] * 4
    with pytest.raises(InvalidTokenResponse):
        world.execute()
    world.pass_time(HOUR)
    run = world.run()

    assert "refreshed" == run.execute().name
    assert run.memory.newest_claim is not None
    (attempt,) = run.memory.newest_claim.earlier
    assert (Fate.UNREAD, 3) == (attempt.fate, attempt.versions)


def test_after_the_grace_the_token_is_sent_no_more() -> None:
    """Where each response within the grace can't be read, the first is kept, and a person is needed."""
    world = World()
    world.endpoint.responses += [unread()] * 4
    with pytest.raises(InvalidTokenResponse):
        world.execute()

    world.pass_time(DAY)

    with pytest.raises(ResponseKept):
        world.execute()
    assert 4 == len(world.endpoint.requests)


def test_a_table_keeps_the_response_that_secrets_manager_refuses() -> None:
    """Encrypted, as it keeps tokens; the next run stores it in the secret, and says the same."""
    world = world_of(SINGLE_USE_IN_TABLE, keeps=True)
    world.store.before = refuse
    with pytest.raises(ResponseKept):
        world.execute()
    with pytest.raises(TokensKept):
        world.execute()
    assert kept_in(world) is None

    world.store.before = lambda _: None
    for _ in range(2):
        with pytest.raises(ResponseKept):
            world.execute()

    assert RAW == kept_in(world)
    assert "kept_tokens" not in (world.table.item if world.table else {})


def test_a_table_keeps_the_response_at_the_first_refusal() -> None:
    """Not at the deadline, when there is no time left for it: a run that dies meanwhile leaves it kept."""
    world = world_of(SINGLE_USE_IN_TABLE, keeps=True)
    seen = []

    def hook(called: str) -> None:
        seen.append(world.claim_table.item.get("kept_tokens"))
        if len(seen) > 9 and seen[-1]:
            raise Killed
        refuse(called)

    world.store.before = hook
    with pytest.raises(Killed):
        world.execute()
    world.store.before = lambda _: None
    with pytest.raises(ChangeFailed, match=r"the claim table keeps it\. .*: `token-refresh refresh"):
        UnreadResponse.read(world.run().parts)

    with pytest.raises(ResponseKept):
        world.execute()
    assert RAW == kept_in(world)
    assert {"data": {"accessToken": "a1", "refreshToken": "r1"}} == UnreadResponse.read(world.run().parts).fields


@pytest.mark.parametrize("end", [7200, "7200", int((NOW + 2 * HOUR).timestamp()), (NOW + 2 * HOUR).isoformat()])
def test_recovered_tokens_end_when_the_response_says(end: object) -> None:
    """In seconds, as Unix time, or as a date; a number may be a token, and what consumers may read stays named."""
    world = World(policy=SINGLE_USE)
    body = json.dumps({"token": 1234567890, "tokens": {"refresh": "r1"}, "end": end}).encode()
    world.endpoint.responses.append(unread(b"HTTP/1.1 200 OK\r\n\r\n" + body))
    world.provider = load_provider("calendly")
    with pytest.raises(ResponseKept):
        world.execute()

    kept = UnreadResponse.read(world.run().parts)
    kept.store(kept.tokens("/token", "/tokens/refresh", "/end"))

    assert "fresh" == world.outcome()
    found = world.current()
    assert ("1234567890", "r1", 7200_000) == (
        found["accessToken"],
        found["refreshToken"],
        found["expiresAt"] - found["issuedAt"],
    )
    assert list(world.provider.extra_names) == found["tokenRefresh"]["kept"]


def test_a_rejection_after_a_kept_response_leaves_it_recoverable() -> None:
    """The token that was sent is used up, and the tokens are in the response: nobody has to authorize."""
    world = World()
    world.endpoint.responses += [unread(), REJECTED, REJECTED]

    for passed in (HOUR, HOUR, HOUR):
        with pytest.raises(ResponseKept, match="token-refresh recover"):
            world.execute()
        world.pass_time(passed)

    assert 3 == len(world.endpoint.requests)
    kept = UnreadResponse.read(world.run().parts)
    kept.store(kept.tokens("/data/accessToken", "/data/refreshToken", None))
    assert "fresh" == world.outcome()
    assert "r1" == world.current()["refreshToken"]


def test_a_response_that_nobody_can_keep_is_unknown() -> None:
    """Where neither the secret nor a table takes it, the attempt is one of unknown outcome, as without a response."""
    world = world_of(SINGLE_USE)
    world.store.before = refuse

    with pytest.raises(InvalidTokenResponse):
        world.execute()

    assert ("response_not_kept",) == tuple(name for name in world.log.events if name.startswith("response"))
