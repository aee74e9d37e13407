"""Versions that KMS refuses to decrypt: the secret's key changed, and the old one is denied, disabled or deleted."""

from datetime import timedelta

import pytest

from run.grant import SingleUseGrant, single_use
from run.world import World, killed, refuse
from testbed.builders import DAY, HOUR, MINUTE, NOW, policy
from testbed.fakes import SECRET_ID
from token_refresh.errors import RefreshOutcomeUnknown, SecretAccessDenied, SecretStoreUnavailable, TokenRefreshError
from token_refresh_worker.core.versions import CLAIM, CURRENT, claim_version_id
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, in_table

STORES = list(ClaimStoreKind)
VERSIONS, TABLE = STORES


def change_key(world: World, key: str = "new", *, code: str = "AccessDeniedException") -> None:
    """Give the secret another key, and let KMS refuse the one before."""
    old = world.model.snapshot()[-1].key
    world.model.call("UpdateSecret", {"SecretId": SECRET_ID, "KmsKeyId": key}, now=world.clock.service_now.timestamp())
    world.model.refuse(SECRET_ID, old, code)


def refreshed(store: ClaimStoreKind, *, times: int = 1, lifetime: timedelta = DAY) -> tuple[World, SingleUseGrant]:
    """A single-use grant that was refreshed some times, and is due again."""
    world, grant = single_use(store, lifetime)
    for _ in range(times):
        assert "refreshed" == world.outcome()
        world.pass_time(lifetime * 3 / 4)
    return world, grant


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("code", ["AccessDeniedException", "DecryptionFailure"])
def test_a_changed_key_ends_no_refreshing(store: ClaimStoreKind, code: str) -> None:
    """The next run refreshes, and its claim is under the new key, so the runs after it make their usual calls again."""
    world, grant = refreshed(store)
    change_key(world, code=code)

    assert "refreshed" == world.outcome()
    world.pass_time(DAY * 3 / 4)
    world.store.calls.clear()
    assert "refreshed" == world.outcome()
    assert (3, True) == (grant.refreshes, grant.alive)
    assert 1 == world.store.calls.count("list versions")


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (
            SecretAccessDenied("not allowed"),
            f"the newest claim on .* is under label {CLAIM}, but KMS refuses to decrypt it",
        ),
        (SecretStoreUnavailable("throttled"), "throttled"),
    ],
)
def test_without_the_list_nothing_is_rebuilt(refused: TokenRefreshError, says: str) -> None:
    """Without the permission a run ends with the claim's label; a list that fails may pass."""
    world, grant = refreshed(VERSIONS)
    change_key(world)
    world.store.before = refuse("list versions", refused)

    with pytest.raises(type(refused), match=says):
        world.execute()
    assert 1 == grant.refreshes


def test_a_read_that_is_denied_by_iam_is_an_error() -> None:
    """Only KMS locks a version: without the permission to read, a run knows nothing."""
    world, _ = refreshed(VERSIONS)
    world.store.before = refuse(f"read {CLAIM}", SecretAccessDenied("not allowed"))
    with pytest.raises(SecretAccessDenied, match="not allowed"):
        world.execute()

    world.store.before = lambda _: None
    world.store.move_label(CLAIM, to=None, remove_from=world.labels()[CLAIM])
    world.store.before = refuse("read version", SecretAccessDenied("not allowed"))
    with pytest.raises(SecretAccessDenied, match="not allowed"):
        world.execute()


def _sets(world: World) -> list[str]:
    secret = world.model.find(SECRET_ID)
    assert secret is not None
    return [v.version_id for v in secret.versions if '"refreshToken"' in str(v.value)]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("expired", [False, True])
def test_locked_tokens_at_a_single_use_provider_wait_for_the_key(store: ClaimStoreKind, *, expired: bool) -> None:
    """The error names version, label and key; naming the attempt overrides nothing; the key heals it."""
    world, grant = refreshed(store)
    killed(world, f"move {CURRENT}")
    staged = _sets(world)[-1]
    change_key(world)
    world.pass_time(2 * DAY if expired else HOUR)

    claim = world.claim_table.newest().claim if world.table else None
    claim_id = claim.claim_id if claim else world.labels()[CLAIM]
    for how in ({}, {"force": True}, {"resend": claim_id}):
        with pytest.raises(SecretAccessDenied) as raised:
            world.execute(**how)
        assert f"version {staged} (label REFRESH_OUTCOME), but KMS refuses" in str(raised.value)
        assert raised.value.by_key
    assert 2 == grant.refreshes

    world.model.refuse(SECRET_ID, "", None)
    assert world.outcome() in {"recovered", "refreshed"}
    assert grant.alive


def test_the_key_of_locked_tokens_is_named_where_versions_may_be_listed() -> None:
    """Without the list the error names the version."""
    world, _ = refreshed(TABLE)
    killed(world, f"move {CURRENT}")
    change_key(world)
    world.store.before = refuse("list versions", SecretAccessDenied("not allowed"))
    world.pass_claim()

    with pytest.raises(SecretAccessDenied, match="but KMS refuses to decrypt it"):
        world.execute()


def test_a_locked_claim_without_a_result_is_an_attempt_on_the_current_token() -> None:
    """It is waited for for an hour, and its token is held at a single-use provider, as that of a run that died."""
    world, grant = refreshed(VERSIONS)
    killed(world, "put REFRESH_OUTCOME")
    change_key(world)

    assert "yielded" == world.outcome()
    world.pass_time(HOUR)
    with pytest.raises(RefreshOutcomeUnknown) as raised:
        world.execute()
    assert f"in version {world.labels()[CLAIM]} (label REFRESH_CLAIM), but KMS refuses" in str(raised.value)
    assert "aws kms enable-key --key-id DefaultEncryptionKey" in str(raised.value)
    assert 2 == grant.refreshes


def test_a_claim_that_the_document_names_is_found_without_its_label() -> None:
    """Taking the label off heals nothing and breaks nothing: the chain of IDs leads to the newest claim."""
    world, grant = refreshed(VERSIONS)
    world.store.move_label(CLAIM, to=None, remove_from=world.labels()[CLAIM])
    change_key(world)

    assert "refreshed" == world.outcome()
    assert (2, True) == (grant.refreshes, grant.alive)


def test_a_list_older_than_the_document_is_not_trusted() -> None:
    """While reads may be old, a run waits for the claim that the document names."""
    world, grant = refreshed(VERSIONS)
    change_key(world)
    assert "refreshed" == world.outcome()
    change_key(world, "newer")
    world.model.drop(SECRET_ID, world.labels()[CLAIM])
    world.store.move_label(CLAIM, to=claim_version_id(None), remove_from=None)

    world.pass_time(MINUTE)
    assert "fresh" == world.outcome()
    assert 2 == grant.refreshes


def test_claims_in_versions_are_found_where_they_are_locked() -> None:
    """A document that no run has written doesn't say where its claims are: a locked claim is a claim."""
    world = World(policy=policy(grace=timedelta(0)), expires_at=NOW + HOUR, issued_at=NOW - DAY)
    killed(world, "put REFRESH_OUTCOME")
    change_key(world)
    world.policy = policy(grace=timedelta(0), claim_store=TABLE)
    world.table = world.new_table()

    with pytest.raises(Exception, match="the claims on secret tokens in eu-central-1 are in the secret"):
        world.execute()


def test_a_version_that_goes_between_list_and_read_is_left_out() -> None:
    """AWS may remove a version in between, or one may be something else than a token set."""
    world, grant = refreshed(VERSIONS, times=2)
    change_key(world)
    previous = world.labels()["AWSPREVIOUS"]

    with world.at("list versions", lambda: world.model.drop(SECRET_ID, previous), after=True):
        assert "refreshed" == world.outcome()
    assert (3, True) == (grant.refreshes, grant.alive)


def test_claims_move_nowhere_where_locked_claims_are() -> None:
    """The arrival's number must be higher than theirs, and nobody can read it: the error names the label."""
    world, _ = refreshed(VERSIONS)
    world.move(in_table("claims"))
    change_key(world)

    with pytest.raises(SecretAccessDenied, match=f"GetSecretValue of {CLAIM}"):
        world.move(IN_VERSIONS)
