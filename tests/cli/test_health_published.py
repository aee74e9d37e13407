"""The published copy, which is all that services read, and its replicas: what `status` finds, and how bad it is."""

import pytest

from cli.scene import SECRET_ID, Cli, Tokens
from testbed.aws.faults import Call
from testbed.builders import DAY, HOUR
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import TokenReader
from token_refresh_worker.stored.tags import REPLICAS_TAG


@pytest.fixture(autouse=True)
def published(cli: Cli, tokens: Tokens, store: SecretsManagerServer, environment: dict[str, str]) -> None:
    """A fresh token set, and its copy."""
    environment["PUBLISHED_SECRET_ID"] = "published"
    store.client().create_secret(Name="published")
    tokens.store(expires_in=DAY)
    cli("refresh")


@pytest.mark.parametrize(
    ("seconds", "provider", "code", "why"),
    [
        (2300, "upwork", 1, ""),
        (2500, "upwork", 2, "for 41 min, and a run comes every 40 min"),
        (88_230, "upwork", 2, "and services can't use it: its access token expired 30 min ago"),
        (600, "airtable", 2, "and the refresh ended its access token"),
    ],
)
def test_behind(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, seconds: int, provider: str, code: int, why: str
) -> None:
    """A copy of older tokens needs attention; it is broken after one period, or where a refresh ends old tokens."""
    tokens.store(expires_in=2 * DAY)
    store.clock_offset_seconds += seconds

    ended = cli("status", PROVIDER=provider)

    assert code == ended.code
    assert "the published copy published is of an older version" in ended.screen
    assert why in ended.screen
    if code > 1 and provider == "upwork":
        assert f"token-refresh doctor {SECRET_ID} --function NAME --region eu-central-1" in ended.screen
    assert 0 == cli("refresh").code
    after = cli("status", "--json")
    fields = {"secret_id": "published", "lags": False, "overwritten": False}
    assert (0, fields) == (after.code, after.json["published"])


GOOD = '{"accessToken": "foreign", "expiresAt": 4102444800000, "sourceVersionId": "1b2c3d4e"}'
OVER_IT: dict[str | bytes, str] = {
    b"\xff": "services can't read it: it is binary",
    "[]": "services can't read it: the secret's value is a JSON array",
    "oops": "services can't read it: the secret's value is not JSON",
    "{}": "services can't read it: it has no access token",
    '{"accessToken": "a", "expiresAt": "never"}': "services can't read it: expiresAt",
    '{"accessToken": "old", "expiresAt": 1700000000000}': "services can't use it: its access token expired",
    GOOD: "services read an access token that no run stored",
}


@pytest.mark.parametrize("value", OVER_IT)
def test_an_overwritten_copy(cli: Cli, tokens: Tokens, store: SecretsManagerServer, value: str | bytes) -> None:
    """A copy that somebody overwrote is broken for its readers now, young or old; the printed command mends it."""
    kind = "SecretString" if isinstance(value, str) else "SecretBinary"
    store.client().put_secret_value(SecretId="published", **{kind: value})
    store.clock_offset_seconds += 5 * 3600 if value == "[]" else 0

    ended, doctor = cli("status"), cli("doctor", "--json")

    assert (2, 1) == (ended.code, doctor.code)
    assert "the published copy published was overwritten at 20" in ended.screen
    assert OVER_IT[value] in ended.screen
    assert "older version" not in ended.screen
    assert any("was overwritten" in check["text"] for check in doctor.json["checks"])
    assert f"token-refresh refresh {SECRET_ID} --region eu-central-1" in ended.screen
    assert "updated the published copy" in cli("refresh").err
    assert 0 == cli("status").code
    read = TokenReader("published", client=store.client(), background=False).get()
    assert tokens.current()["accessToken"] == read


def test_an_overwritten_copy_of_no_access_token(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Where there is no access token to publish, no command could mend the copy: a refresh comes first."""
    tokens.put({name: value for name, value in tokens.current().items() if name not in {"accessToken", "expiresAt"}})
    store.client().put_secret_value(SecretId="published", SecretString="[]")

    ended = cli("status")

    assert "was overwritten at 20" in ended.screen
    assert "a run publishes again as soon as it can refresh the tokens" in ended.screen
    assert "publish the current access token" not in ended.screen


def test_a_copy_of_a_revoked_grant(cli: Cli, tokens: Tokens) -> None:
    """A new grant is of no use to services while their copy says that the last one was revoked."""
    cli("revoke", "--by-hand", "--yes")
    tokens.store(expires_in=2 * DAY)

    ended = cli("status")

    assert 2 == ended.code
    assert "is of an older version, and services can't read it: it has no access token" in ended.screen


def test_an_edit_of_other_keys(cli: Cli, tokens: Tokens) -> None:
    """An edited note leaves services the current access token: that is healthy, and no older version."""
    tokens.put({**tokens.current(), "note": "mine"})

    ended = cli("status")

    assert (0, True) == (ended.code, "published: the current access token" in ended.screen)


def test_a_young_copy(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A copy that a run left moments ago is not replaced at once: `status` says from when on. An overwritten one is."""
    tokens.store(expires_in=2 * DAY)
    young = cli("status")
    store.client().put_secret_value(SecretId="published", SecretString="[]")

    assert 2 == cli("status").code
    cli("refresh")
    assert 0 == cli("status").code
    assert "the first run after 20" in young.screen
    assert "token-refresh refresh" not in young.screen


def undescribed(call: Call) -> str | None:
    return "no" if (call.operation, call.secret_id) == ("DescribeSecret", "published") else None


def test_marked_for_deletion(cli: Cli, store: SecretsManagerServer) -> None:
    """A published secret that is marked for deletion is broken, seen without the right to describe it."""
    store.fault("deny", "GetSecretValue", nth=2)  # After the token secret, whose document says whose tokens these are.
    assert 1 == cli("status").code, "a copy that this caller may not read is not known to be healthy, nor broken"
    store.client().delete_secret(SecretId="published")
    store.authorize = undescribed

    ended = cli("status")

    assert 2 == ended.code
    assert "services can't read the published copy: secret published" in ended.screen
    assert "aws secretsmanager restore-secret --secret-id published --region eu-central-1" in ended.screen


def test_tokens_that_nobody_published(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """An empty published secret is broken once a run should have filled it."""
    del tokens
    store.client().create_secret(Name="empty")
    store.clock_offset_seconds += int(HOUR.total_seconds())

    assert 2 == cli("status", PUBLISHED_SECRET_ID="empty").code


AGAIN = (
    "aws secretsmanager replicate-secret-to-regions --secret-id published --add-replica-regions Region=eu-west-1 "
    "--region eu-central-1"
)


@pytest.fixture
def replicated(store: SecretsManagerServer) -> SecretsManagerServer:
    """The published secret, which the deployment replicates to one region."""
    store.client().tag_resource(SecretId="published", Tags=[{"Key": REPLICAS_TAG, "Value": "eu-west-1 --help"}])
    return store


def test_a_replica_in_sync(cli: Cli, replicated: SecretsManagerServer) -> None:
    """A replica that follows is healthy, both commands say so; who may not look is told that, and all is as before."""
    replicated.secrets.replicate("published", eu_west_1="InSync")

    ended = cli("status")

    assert (0, True) == (ended.code, "eu-west-1 in sync" in ended.screen)
    assert "ok replicas: eu-west-1 in sync" in cli("doctor").screen
    assert [{"region": "eu-west-1", "status": "InSync"}] == cli("status", "--json").json["replicas"]
    replicated.authorize = undescribed
    unseen = cli("status")
    assert 0 == unseen.code
    assert "not checked: needs secretsmanager:DescribeSecret on published" in unseen.screen
    assert None is cli("status", "--json").json["replicas"]


@pytest.mark.parametrize(("minutes", "code"), [(9, 0), (11, 1)])
def test_a_replica_that_is_behind(cli: Cli, replicated: SecretsManagerServer, minutes: int, code: int) -> None:
    """Replication takes a moment after each refresh; only where it lasts, somebody should look."""
    replicated.secrets.replicate("published", eu_west_1="InProgress")
    replicated.clock_offset_seconds += 60 * minutes

    ended = cli("status")

    assert code == ended.code
    assert (code == 1) == ("the replica of published in eu-west-1 is behind for" in ended.screen)
    assert "eu-west-1 not in sync yet" in ended.screen


@pytest.mark.parametrize(("status", "said"), [({"eu_west_1": "Failed"}, "failed"), ({}, "is gone")])
def test_a_replica_that_is_gone(cli: Cli, replicated: SecretsManagerServer, status: dict[str, str], said: str) -> None:
    """A replica that failed, or that AWS removed, is broken: consumers there read old tokens, or none."""
    replicated.secrets.replicate("published", **status)

    ended = cli("status")

    assert 2 == ended.code
    assert f"the replica of published in eu-west-1 {said}: consumers there read old tokens, or none" in ended.screen
    assert AGAIN in ended.screen
    assert "FAILED tokens: the replica of published in eu-west-1" in cli("doctor").screen
    assert "--help" not in ended.screen


def test_dead_tokens_over_a_living_grant(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint
) -> None:
    """`status` names the version to restore, and says nothing of the copy: no run updates it, and services are well."""
    dead = tokens.current()
    endpoint.grant.revoke()
    assert 2 == cli("refresh", "--force").code
    store.clock_offset_seconds += 600
    living = tokens.store(expires_in=DAY)
    assert 0 == cli("refresh").code
    tokens.put(dead)
    store.clock_offset_seconds += 1200

    ended = cli("status")
    forced = cli("refresh", "--force")

    assert (2, 2) == (ended.code, forced.code)
    for said in (ended.screen, forced.err):
        assert f"token-refresh restore {SECRET_ID} --region eu-central-1 --version {living}" in said
    assert "fails, and sends nothing: the current tokens are dead, and another set may be alive" in ended.screen
    assert "the published copy published" not in ended.screen
    assert 1 == ended.screen.count("token-refresh authorize")
    assert 0 == cli("restore", "--yes").code
    assert 0 == cli("status").code


def test_a_copy_that_is_gone_for_good(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """`refresh` and `status` say the same, and how the copy is made again."""
    store.client().delete_secret(SecretId="published", ForceDeleteWithoutRecovery=True)
    tokens.store(expires_in=HOUR)

    ended, status = cli("refresh"), cli("status")

    make = "  aws secretsmanager create-secret --name published --region eu-central-1"
    assert (2, 2) == (ended.code, status.code)
    assert make in ended.err.splitlines()
    assert f"  {make}" in status.out.splitlines()
