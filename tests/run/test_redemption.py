"""New tokens are stored before anything else happens, and an attempt that brought none is recorded."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from run.grant import REJECTED
from run.world import FIRST_CLAIM, World, fail, refuse
from testbed.builders import DAY, HOUR, IN_TABLE, MINUTE, NOW, SINGLE_USE, SINGLE_USE_IN_TABLE, ms, policy
from testbed.fakes import SECRET_ID, tokens
from token_refresh.errors import (
    ClientRejected,
    ConfigurationError,
    InvalidTokenResponse,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
    SecretAccessDenied,
    SecretStoreUnavailable,
    TokenRefreshError,
    TokensNotStored,
)
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.versions import staged_version_id
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse

CLIENT_REJECTED = FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401")


@pytest.mark.parametrize("where", ["before", "after"])
def test_new_tokens_are_stored_as_soon_as_the_store_takes_them(where: str) -> None:
    """The write is repeated until the deadline, under the same version ID and with the same value.

    Where only the replies were lost, another ID would leave a second copy, and another value would be refused.
    """
    world = World()
    first, until = world.labels()["AWSCURRENT"], 60.0

    def down(name: str) -> None:
        if name == "put REFRESH_OUTCOME" and world.clock.seconds < until:
            raise SecretStoreUnavailable("down")

    setattr(world.store, where, down)

    assert "refreshed" == world.outcome()
    assert ("access-1", 1) == (world.current()["accessToken"], len(world.endpoint.requests))
    assert until <= world.clock.seconds < 90.0
    assert staged_version_id(FIRST_CLAIM, first) == world.labels()["AWSCURRENT"]
    secret = world.model.find(SECRET_ID)
    assert secret is not None
    assert 3 == len(secret.versions), "the first token set, the claim, the new token set"


def test_a_suspended_run_has_time_to_store() -> None:
    """A laptop slept past the deadline: its connection to AWS is dead, and the write is repeated all the same."""
    world = World(policy=SINGLE_USE)

    def sleep_and_receive() -> TokenResponse:
        world.clock.seconds += HOUR.total_seconds()
        return tokens()

    world.endpoint.responses = [sleep_and_receive]

    with world.at("put REFRESH_OUTCOME", fail(SecretStoreUnavailable("dead connection"))):
        assert "refreshed" == world.outcome()
    assert "access-1" == world.current()["accessToken"]


@pytest.mark.parametrize("settings", [SINGLE_USE, SINGLE_USE_IN_TABLE], ids=["versions", "table"])
@pytest.mark.parametrize("error", [SecretAccessDenied("why"), SecretStoreUnavailable("why")])
def test_tokens_that_can_not_be_stored_are_an_error_of_their_own(settings: Policy, error: TokenRefreshError) -> None:
    """The run says that tokens arrived and may be lost; the used token isn't sent again before the last quarter."""
    world = World(policy=settings, expires_at=NOW + 7 * HOUR)
    world.store.before = refuse("put REFRESH_OUTCOME", error)

    says = (
        rf"could not be saved before the deadline \({type(error).__name__}: why.*\).* `token-refresh authorize tokens "
    )
    with pytest.raises(TokensNotStored, match=says) as caught:
        world.execute()
    assert "nothing was redeemed" not in str(caught.value)
    assert world.clock.seconds <= 90.0
    assert "access-0" == world.current()["accessToken"]

    world.pass_claim()
    for _ in range(4):
        with pytest.raises(RefreshOutcomeUnknown):
            world.execute()
        world.pass_time(HOUR)
    assert 1 == len(world.endpoint.requests)


def test_tokens_are_never_stored_over_something_else() -> None:
    """Where the derived version is taken by another value, the run says so, and overwrites nothing."""
    world = World()
    first = world.labels()["AWSCURRENT"]
    world.store.put(staged_version_id(FIRST_CLAIM, first), SecretValue("theirs"), label="SQUATTER")

    with pytest.raises(TokensNotStored, match="is taken by another value"):
        world.execute()
    assert "access-0" == world.current()["accessToken"]


def test_tokens_over_the_room_that_was_checked_are_named() -> None:
    """Secrets Manager takes 64 KiB: what doesn't fit is recorded as unknown, and no retry sends the token again."""
    world = World(policy=SINGLE_USE, note="x" * 48_000, expires_at=NOW + 6 * HOUR)
    world.endpoint.responses = [TokenResponse(access_token=SecretValue("y" * 20_000), refresh_token=None, lifetime=DAY)]

    says = (
        r"the token document would have \d+ bytes, and Secrets Manager takes 65536.* `token-refresh authorize tokens "
    )
    with pytest.raises(InvalidTokenResponse, match=says):
        world.execute()

    assert Fate.UNKNOWN is world.record().fate
    assert "yyyy" not in str(world.model.snapshot())
    assert ["refresh_claimed"] == world.log.events
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 1 == len(world.endpoint.requests)


@pytest.mark.parametrize(
    ("settings", "call", "missing", "response", "raised"),
    [
        (policy(), "put REFRESH_OUTCOME", SecretStoreUnavailable("down"), CLIENT_REJECTED, ClientRejected),
        (IN_TABLE, "record", ConfigurationError("no table"), REJECTED, ReauthorizationRequired),
    ],
    ids=["versions", "table"],
)
def test_a_record_that_can_not_be_stored_hides_no_failure(
    settings: Policy, call: str, missing: Exception, response: FailedRequest, raised: type[TokenRefreshError]
) -> None:
    """What the provider said is raised, also where it can't be recorded: the store is down, or the table deleted."""
    world = World(policy=settings)
    world.endpoint.responses = [response]

    with world.at(call, fail(missing)), pytest.raises(raised):
        world.execute()
    assert "record_not_stored" in world.log.events


def test_a_provider_that_has_ended_is_asked_all_the_same() -> None:
    """A run warns of it and goes on: the profile may be wrong, and the provider decides."""
    world = World()
    world.provider = replace(world.provider, ends_on=date(2000, 1, 1), successor="other")

    assert "refreshed" == world.outcome()
    assert "provider_ended" in world.log.events


@pytest.mark.parametrize(
    ("stated", "before", "lives", "warned"),
    [
        (2 * DAY, None, 2 * DAY, False),
        (30 * DAY, None, 30 * DAY, False),
        (31 * DAY, None, 31 * DAY, True),
        (99 * DAY, None, 99 * DAY, True),
        (101 * DAY, None, DAY, True),
        (1000 * DAY, None, DAY, True),
        (20 * 1000 * HOUR, 20 * HOUR, 20 * HOUR, True),
        (12 * 365 * DAY, None, DAY, True),
        (None, 20 * HOUR, DAY, False),
        (None, None, DAY, False),
    ],
)
def test_a_lifetime_that_can_not_be_is_not_believed(
    stated: timedelta | None, before: timedelta | None, lives: timedelta, *, warned: bool
) -> None:
    """Above a hundred times the known one that counts; exactly a thousand times the last one are milliseconds.

    Above thirty, believed or not, one warning has both figures, and what to set.
    """
    world = World(issued_at=None if before is None else NOW - before + HOUR)
    world.endpoint.responses = [tokens(1, lifetime=stated)]

    world.execute()

    assert ms(NOW + lives) == world.current()["expiresAt"]
    assert int(lives.total_seconds()) == world.current()["tokenRefresh"]["lifetime_seconds"]
    assert warned == ("token_lifetime_doubted" in world.log.events)


def test_the_deployment_s_word_counts() -> None:
    """What the deployment says takes the place of what the profile documents."""
    world = World()
    world.provider = replace(world.provider, access_token_lifetime=365 * DAY)
    world.endpoint.responses = [tokens(1, lifetime=700 * DAY)]

    world.execute()

    assert ms(NOW + 700 * DAY) == world.current()["expiresAt"]
    assert "token_lifetime_doubted" not in world.log.events


def lives_through(
    days: int, lifetime: timedelta, period: timedelta, *, new_below: timedelta
) -> tuple[World, list[str]]:
    """Run on a schedule at a provider that returns the same access token until less than so much is left of it."""
    world = World(policy=replace(policy(window=min(8 * HOUR, lifetime / 3)), lifetime=lifetime), stored=False)
    world.provider = replace(world.provider, access_token_lifetime=lifetime)
    world.save(expires_at=NOW + lifetime, issued_at=NOW)
    issued, expires_at = 0, NOW + lifetime

    def respond() -> TokenResponse:
        nonlocal issued, expires_at
        now = world.clock.service_now
        if expires_at - now <= new_below:
            issued, expires_at = issued + 1, now + lifetime
        return replace(tokens(issued, lifetime=expires_at - now), access_token=SecretValue(f"access-{issued}"))

    outcomes = []
    until = NOW + days * DAY
    while world.clock.service_now < until:
        world.pass_time(period)
        world.endpoint.responses = [respond]
        outcomes.append(world.outcome())
    return world, outcomes


@pytest.mark.parametrize(
    ("lifetime", "period", "new_below"), [(DAY, 40 * MINUTE, timedelta(0)), (HOUR, 6 * MINUTE, 10 * MINUTE)]
)
def test_the_same_access_token_with_what_is_left_of_it(
    lifetime: timedelta, period: timedelta, new_below: timedelta
) -> None:
    """It costs no daily limit and no refresh at each run: three tries for a token, one once two in a row taught it."""
    world, outcomes = lives_through(3, lifetime, period, new_below=new_below)

    new = 3 * DAY / lifetime
    assert "yielded" not in outcomes
    assert new * 0.8 <= len(world.endpoint.requests) <= new + 3 * 4 + 1
    assert world.current()["tokenRefresh"]["lifetime_seconds"] == lifetime.total_seconds()


def test_a_refresh_that_brings_a_longer_life_is_no_vain_one() -> None:
    """The same access token, prolonged, counts as new; so does one whose life was unknown, or is over."""
    for expires_at, issued_at, stated in (
        (NOW + HOUR, NOW - 23 * HOUR, DAY),
        (NOW + HOUR, None, HOUR),
        (NOW - HOUR, NOW - DAY, None),
    ):
        world = World(expires_at=expires_at, issued_at=issued_at)
        world.endpoint.responses = [replace(tokens(1, lifetime=stated), access_token=SecretValue("access-0"))]

        world.execute()

        assert "asked_at" not in world.current()["tokenRefresh"]


@pytest.mark.parametrize(
    ("expires_at", "is_left"), [(NOW + HOUR, HOUR), (NOW + 3650 * DAY, DAY)], ids=["life unknown", "doubted"]
)
def test_the_same_access_token_of_which_little_is_known(expires_at: datetime, is_left: timedelta) -> None:
    """A response without a lifetime leaves an expiry as it was believed, also where nobody knows the whole life."""
    world = World(policy=replace(policy(), lifetime=DAY), expires_at=expires_at)
    world.pass_time(MINUTE)
    world.endpoint.responses = [replace(tokens(1, lifetime=None), access_token=SecretValue("access-0"))]

    world.execute(force=True)

    assert ms(NOW + is_left) == world.current()["expiresAt"]


def test_the_same_access_token_without_a_stated_life_keeps_its_expiry() -> None:
    """Nothing says that it was prolonged. What one token taught says nothing of the next."""
    world = World(expires_at=NOW + 4 * HOUR, issued_at=NOW - 20 * HOUR)
    world.endpoint.responses = [replace(tokens(1, lifetime=None), access_token=SecretValue("access-0"))]

    world.execute()

    kept = world.current()["tokenRefresh"]
    assert (ms(NOW + 4 * HOUR), 86_400) == (world.current()["expiresAt"], kept["lifetime_seconds"])
    assert (4 * 3600, "2026-11-24T12:00:00Z") == (kept["asked_left_seconds"], kept["asked_at"])
    world.pass_time(5 * HOUR)
    world.execute()
    after = world.current()["tokenRefresh"]
    assert (kept["asked_at"], 1) == (after["asked_at"], after["asked_tokens"])
    assert "asked_left_seconds" not in after
    world.pass_time(DAY)
    world.execute()
    assert "asked_at" not in world.current()["tokenRefresh"]


def test_one_token_that_came_twice_teaches_nothing() -> None:
    """A cache in front of the provider gave it again, even twice: the tokens after it are refreshed in time."""
    world = World(policy=replace(policy(), lifetime=HOUR), expires_at=NOW + 20 * MINUTE, issued_at=NOW - 40 * MINUTE)
    for _ in range(2):
        world.endpoint.responses = [replace(tokens(1, lifetime=None), access_token=SecretValue("access-0"))]
        assert "refreshed" == world.outcome()
        world.pass_time(15 * MINUTE)
    world.pass_time(6 * MINUTE)
    world.endpoint.responses = [tokens(1, lifetime=HOUR)]
    assert "refreshed" == world.outcome()
    world.pass_time(41 * MINUTE)
    world.endpoint.responses = [tokens(2, lifetime=HOUR)]

    assert "refreshed" == world.outcome()
    assert "asked_at" not in world.current()["tokenRefresh"]


def test_two_tokens_in_a_row_teach_when_to_ask() -> None:
    """After them one is asked for when new ones came. One that comes earlier ends it."""
    world, _ = lives_through(1, HOUR, 6 * MINUTE, new_below=10 * MINUTE)

    taught = world.current()["tokenRefresh"]
    assert 2 == taught["asked_tokens"]
    assert taught["asked_left_seconds"] > 10 * 60
    world.endpoint.responses = [tokens(99, lifetime=HOUR)]
    world.execute(force=True)
    assert "asked_at" not in world.current()["tokenRefresh"]


@pytest.mark.parametrize("expires_at", [NOW + HOUR, NOW - HOUR, None])
def test_the_same_access_token_that_is_called_over_lives_no_longer(expires_at: datetime | None) -> None:
    """`expires_in: 0` beside the same token is no new life; beside a new one it says nothing."""
    world = World(policy=replace(policy(), lifetime=DAY), expires_at=expires_at, issued_at=NOW - 23 * HOUR)
    world.endpoint.responses = [replace(tokens(1, lifetime=timedelta(0)), access_token=SecretValue("access-0"))]
    world.execute()
    assert ms(NOW + timedelta(seconds=1)) == world.current()["expiresAt"]

    world.pass_time(HOUR)
    world.endpoint.responses = [tokens(2, lifetime=timedelta(0))]
    world.execute()

    assert ms(NOW + HOUR + DAY) == world.current()["expiresAt"]


def test_an_end_that_moved_a_moment_ago_still_moves() -> None:
    """Two refreshes within a minute move a rolling end by less than LinkedIn's stated rest jitters."""
    world = World(expires_at=NOW + HOUR)
    for number in (1, 2):
        world.endpoint.responses = [replace(tokens(number, lifetime=60 * DAY), refresh_token_ends=(14 * DAY,))]
        world.execute(force=True)
        world.pass_time(MINUTE)

    origin = world.current()["tokenRefresh"]
    assert ("2026-11-24T12:01:00Z", "2026-12-08T12:01:00Z") == (origin["grant_began_at"], origin["grant_ends_at"])


def test_a_grant_that_is_its_access_token_is_never_taught_to_wait() -> None:
    """What a token showed that came again says nothing of the next one, if the grant ends with that."""
    world = World(expires_at=NOW + 4 * HOUR, issued_at=NOW - 20 * HOUR)
    world.provider = replace(world.provider, request=replace(world.provider.request, grant=Grant.EXCHANGE))
    world.endpoint.responses = [replace(tokens(1, lifetime=None), access_token=SecretValue("access-0"))]
    world.execute()
    assert 1 == world.current()["tokenRefresh"]["asked_tokens"]

    world.pass_time(3 * HOUR)
    world.endpoint.responses = [tokens(2, lifetime=DAY)]
    world.execute(force=True)

    assert "asked_tokens" not in world.current()["tokenRefresh"]
