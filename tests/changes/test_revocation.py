"""A revocation that dies, fails or meets other runs: what is stored then, and what the next run makes of it."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from run.grant import SingleUseGrant, single_use, with_grant
from run.world import Killed, World, fail, killed, stale_reads
from testbed.builders import MINUTE, NOW, policy
from token_refresh.errors import (
    ClientRejected,
    ConfigurationError,
    DeadlineExceeded,
    ReauthorizationRequired,
    SecretEmpty,
    SecretStoreUnavailable,
    TokenRefreshError,
)
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_admin.changes.revoke import revoke_grant
from token_refresh_worker.core.versions import claim_version_id, staged_version_id
from token_refresh_worker.oauth.formats import Encoding
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.run.actions import Actions
from token_refresh_worker.stored.origin import ClaimStoreKind

HOUR = timedelta(hours=1)


@dataclass
class Endpoint:
    """A revocation endpoint that ends the grant of the world's provider."""

    grant: SingleUseGrant
    fails: list[FailedRequest] = field(default_factory=list)
    asked: list[TokenRequest] = field(default_factory=list)

    def __call__(self, request: TokenRequest) -> FailedRequest | None:
        self.asked.append(request)
        if self.fails:
            return self.fails.pop()
        self.grant.alive = False
        return None


@pytest.fixture(params=list(ClaimStoreKind))
def world(request: pytest.FixtureRequest) -> World:
    """A world at a single-use provider, with tokens that are due, and claims in either store."""
    return World(policy=policy(grace=timedelta(0), claim_store=request.param), expires_at=NOW, issued_at=NOW - HOUR)


@pytest.fixture
def endpoint(world: World) -> Endpoint:
    return Endpoint(with_grant(world, HOUR))


def refuses(world: World, endpoint: Endpoint, why: str) -> ChangeFailed:
    """Nothing is sent, and the command says why."""
    with pytest.raises(ChangeFailed, match=why) as ended:
        revoke_grant(world.run(), endpoint)
    assert [] == endpoint.asked
    return ended.value


@pytest.mark.parametrize("call", ["put OUTCOME", "move AWSCURRENT"])
@pytest.mark.parametrize("after", [False, True])
def test_a_revocation_that_dies(world: World, endpoint: Endpoint, call: str, after: bool) -> None:  # noqa: FBT001 - a case
    """A run finds a dead grant where the command died after the request; the command, run again, completes it."""
    call = call.replace("OUTCOME", "REFRESH_OUTCOME")
    with world.at(call, fail(Killed()), after=after), pytest.raises(Killed):
        revoke_grant(world.run(), endpoint)
    world.pass_time(HOUR)

    with pytest.raises((ReauthorizationRequired, SecretEmpty)) as found:
        world.execute()

    assert 0 == endpoint.grant.refreshes
    if isinstance(found.value, ReauthorizationRequired):
        world.pass_time(HOUR)
        revoke_grant(world.run(), endpoint)
    with pytest.raises(SecretEmpty, match="was revoked"):
        world.execute()


@pytest.mark.parametrize(
    ("failed", "error", "said"),
    [
        (
            FailedRequest(kind=FailureKind.NO_RESPONSE, seen="ReadTimeout"),
            ChangeFailed,
            r"secret .* is not revoked, as far as is known \(ReadTimeout\)",
        ),
        (FailedRequest(kind=FailureKind.BUSY, seen="HTTP 503"), ChangeFailed, "Try again: `token-refresh revoke"),
        (FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401"), ClientRejected, "Correct the client"),
        (FailedRequest(kind=FailureKind.REQUEST_REJECTED, seen="HTTP 400"), ChangeFailed, "this client: .* --by-hand"),
    ],
)
def test_a_provider_that_does_not_revoke(
    world: World, endpoint: Endpoint, failed: FailedRequest, error: type[TokenRefreshError], said: str
) -> None:
    """Nothing is stored but that nothing was redeemed: runs go on at once, and so does the next try."""
    endpoint.fails = [failed]

    with pytest.raises(error, match=said):
        revoke_grant(world.run(), endpoint)

    assert "refreshed" == world.outcome()
    world.pass_time(HOUR)
    revoke_grant(world.run(), endpoint)
    assert not endpoint.grant.alive


def test_a_run_that_holds_the_claim(world: World, endpoint: Endpoint) -> None:
    """While a run may be redeeming, nothing is sent: its new token would live on."""
    with world.at("put REFRESH_OUTCOME", fail(Killed())), pytest.raises(Killed):
        world.execute()

    why = r"another run holds the claim on secret tokens .* until .*; nothing was"
    assert not refuses(world, endpoint, why).needs_person


def test_the_newest_token_is_revoked(world: World, endpoint: Endpoint) -> None:
    """Tokens that a dead run received become current first, and theirs is the token that is revoked."""
    with world.at("move AWSCURRENT", fail(Killed())), pytest.raises(Killed):
        world.execute()

    revoke_grant(world.run(), endpoint)

    assert ["refresh-1"] == [request.fields["token"] for request in endpoint.asked]
    with pytest.raises(SecretEmpty):
        world.execute()


def test_a_token_set_that_is_stored_meanwhile(world: World, endpoint: Endpoint) -> None:
    """A grant that somebody stores during the revocation stays, and the command says so."""
    with (
        world.at("move AWSCURRENT", lambda: world.save(refreshToken="of another grant")),
        pytest.raises(ChangeFailed, match="the grant is revoked, and somebody stored another token set"),
    ):
        revoke_grant(world.run(), endpoint)

    assert "of another grant" == world.current()["refreshToken"]


@pytest.mark.parametrize("stale", [False, True])
def test_a_label_that_had_moved(
    world: World, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, *, stale: bool
) -> None:
    """After a lost response the repeated move is refused, and the next read shows that it is done, unless it is old."""
    move = world.store.move_label

    def lost(*arguments: str, **where: str | None) -> bool:
        move(*arguments, **where)  # type: ignore[arg-type]  # as it was called
        return False

    monkeypatch.setattr(type(world.store), "move_label", lambda _, *a, **k: lost(*a, **k))
    if stale:
        stale_reads(world, "AWSCURRENT")
        with pytest.raises(ChangeFailed, match=r"the grant is revoked, and a read of secret tokens .* is too old to"):
            revoke_grant(world.run(), endpoint)
        return

    assert revoke_grant(world.run(), endpoint).version_id == world.labels()["AWSCURRENT"]


def test_a_secret_that_can_t_be_written(world: World, endpoint: Endpoint) -> None:
    """The command says that the grant is revoked, and what to correct; run again, it completes."""
    refused = SecretStoreUnavailable("secretsmanager:PutSecretValue is throttled")
    stored = 0

    def hook(called: str) -> None:
        nonlocal stored
        stored += called == "put REFRESH_OUTCOME"
        if called == "put REFRESH_OUTCOME" and stored == (2 if world.table is None else 1):
            raise refused

    world.store.before = hook
    with pytest.raises(
        SecretStoreUnavailable, match=r"is revoked, but the secret could not be updated: .* is throttled. Correct that"
    ):
        revoke_grant(world.run(), endpoint)
    world.store.before = lambda _: None

    revoke_grant(world.run(), endpoint)

    with pytest.raises(SecretEmpty):
        world.execute()


def test_a_secret_that_gives_no_claim(world: World, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another run was faster, and its claim can't be read yet, nothing is sent, and the command says so."""
    monkeypatch.setattr(Actions, "take", lambda *_: None)

    refuses(world, endpoint, r"can't be read yet on secret tokens .* until .*; nothing was sent")


def test_another_provider_s_token(world: World, endpoint: Endpoint) -> None:
    """With settings for another host than the token's nothing is sent."""
    run = world.run()
    run.parts = replace(run.parts, policy=replace(run.parts.policy, host="other.example"))
    world.save(tokenRefresh={"host": "a.example", "grace_seconds": 0, "store": "versions"})

    with pytest.raises(ConfigurationError, match=r"belongs to a.example"):
        revoke_grant(run, endpoint)

    assert [] == endpoint.asked


def test_an_access_token_alone(world: World, endpoint: Endpoint) -> None:
    """Where there are no refresh tokens, the access token is revoked, named as one, and never in a URL."""
    world.provider = load_provider("instagram")
    world.save(refreshToken=None)

    revoke_grant(world.run(), endpoint)

    (request,) = endpoint.asked
    assert {"token": "access-0", "token_type_hint": "access_token"}.items() <= request.fields.items()
    assert ("POST", Encoding.FORM) == (request.method, request.encoding)


def test_a_provider_that_wants_the_access_token(world: World, endpoint: Endpoint) -> None:
    """A profile can say that the access token is sent; without one it is the refresh token, whatever comes of that."""
    world.provider = load_provider("tiktok")

    revoke_grant(world.run(), endpoint)
    world.save(refreshToken="refresh-0", accessToken=None)
    revoke_grant(world.run(), endpoint)

    first, second = (request.fields for request in endpoint.asked)
    assert {"token": "access-0", "token_type_hint": "access_token"}.items() <= first.items()
    assert {"token": "refresh-0", "token_type_hint": "refresh_token"}.items() <= second.items()


@pytest.mark.parametrize("dies", [True, False])
def test_a_used_token_is_not_sent(*, dies: bool) -> None:
    """While an old read hides the successor of a used token, nothing is sent: the successor would live on.

    Once every read would show it, and none does, it is lost, and the used token is all that can end the grant.
    """
    world, endpoint = with_hidden_successor(dies=dies)

    refuses(world, endpoint, r"a read of Secrets Manager was stale on secret tokens .* until .*;")
    if dies:
        world.pass_time(HOUR)
        revoke_grant(world.run(), endpoint)
        assert ["refresh-0"] == [request.fields["token"] for request in endpoint.asked]


def with_hidden_successor(*, dies: bool) -> tuple[World, Endpoint]:
    """A refresh whose record is readable, and whose tokens are not; its run may have died before they were current."""
    world, grant = single_use(ClaimStoreKind.TABLE, 10 * MINUTE)
    base = world.labels()["AWSCURRENT"]
    stale_reads(world, "AWSCURRENT", staged_version_id(claim_version_id(base), base))
    if dies:
        killed(world, "move AWSCURRENT")
    else:
        assert "refreshed" == world.outcome()
    return world, Endpoint(grant)


def test_an_old_read_of_what_is_current(world: World, endpoint: Endpoint) -> None:
    """A read that is older than the last refresh makes the command wait, whatever it could read of the successor."""
    stale_reads(world, "AWSCURRENT")
    assert "refreshed" == world.outcome()

    refuses(world, endpoint, r"a read of Secrets Manager was stale on secret tokens .*; nothing")


def test_a_machine_that_slept(world: World, endpoint: Endpoint) -> None:
    """A claim that ended while the machine was suspended protects nothing: nothing is sent, and runs go on at once."""
    slept = "put REFRESH_CLAIM" if world.table is None else "append claim"
    with (
        world.at(slept, lambda: world.pass_time(timedelta(minutes=1, seconds=29)), after=True),
        pytest.raises(DeadlineExceeded, match="nothing was redeemed"),
    ):
        revoke_grant(world.run(), endpoint)

    assert [] == endpoint.asked
    assert "refreshed" == world.outcome()


def test_an_old_read_after_the_revocation(world: World, endpoint: Endpoint) -> None:
    """What the command made current itself it knows, whatever a read shows."""
    stale_reads(world, "AWSCURRENT")

    revoked = revoke_grant(world.run(), endpoint)

    assert revoked.version_id == world.labels()["AWSCURRENT"]
