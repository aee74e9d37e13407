"""`doctor`: each trouble by its name, also a consumer's, against a real-enough AWS, and with what to do."""

import json
from typing import Any

import pytest

from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Tokens, grades
from testbed.builders import DAY
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.cli.context import Context
from token_refresh_worker.core.versions import published_version_id


def test_all_is_well(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Where all is well nothing failed, exit status 0, and what was not checked is named."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    ended = cli("doctor")

    assert (0, "") == (ended.code, ended.err)
    assert "Nothing failed." in ended.screen
    assert "skipped function: pass --function NAME" in ended.screen
    assert "skipped credentials: not checked" in ended.screen
    assert "skipped your permissions: writing not tried: Secrets Manager is not at AWS's own endpoint" in ended.screen
    assert "it responds and knows the client (HTTP 400 with invalid_grant" in ended.screen
    assert all(len(line) <= 80 for line in ended.out.splitlines())
    assert [True, False] == [request.redeemed for request in endpoint.requests], "the second one is doctor's"


def test_credentials_that_aws_does_not_know(cli: Cli, tokens: Tokens, environment: dict[str, str]) -> None:
    """Credentials that AWS rejects fail; a service that can't be reached says nothing about them."""
    tokens.store(expires_in=DAY)
    with Aws() as aws:
        aws.sts_error = "InvalidClientTokenId"
        environment["AWS_ENDPOINT_URL"] = f"http://{aws.address}"
        rejected = cli("doctor", "--json")
        aws.sts_error = None
        unclear = cli("doctor", "--json")

    assert ("failed", "skipped") == (grades(rejected)["credentials"], grades(unclear)["credentials"])


@pytest.mark.parametrize(("offset", "grade"), [(0, "ok"), (60, "look"), (-60, "look"), (600, "failed")])
def test_clock(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch, offset: int, grade: str
) -> None:
    """A clock that is off by half a minute is worth a look, and by 5 minutes fails; a test server's is not judged."""
    tokens.store(expires_in=DAY)
    store.clock_offset_seconds = offset

    assert ("skipped" if offset else "ok") == grades(cli("doctor", "--json"))["clock"]
    monkeypatch.setattr(Context, "at_aws", property(lambda _: True))
    assert grade == grades(cli("doctor", "--json"))["clock"]
    where = f"{'ahead of' if offset > 0 else 'behind'} this machine's"
    assert (where if offset else "agrees with Secrets Manager's") in cli("doctor").screen


def test_a_consumer_of_a_copy_that_is_not_ours(cli: Cli, tokens: Tokens) -> None:
    """The version that a copy would have is right for its readers, and strange where there is no copy."""
    reported = f"--consumer-version={published_version_id(tokens.store(expires_in=DAY))}"

    with_copy = cli("doctor", "--json", reported, PUBLISHED_SECRET_ID="published")
    without = cli("doctor", "--json", reported)

    assert ("ok", "failed") == (grades(with_copy)["consumers"], grades(without)["consumers"])
    assert "neither this secret nor a copy of it has version" in without.screen


def test_the_clock_of_a_refused_request(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A refusal says what time it is, too: `doctor` compares clocks without the right to describe the secret."""
    tokens.store(expires_in=DAY)
    store.fault("deny", "DescribeSecret", times=None)

    assert "ok" == grades(cli("doctor", "--json"))["clock"]


def test_unreachable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Secrets Manager out of reach fails once, and does not keep the other checks from going on."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.1)

    nowhere = "http://127.0.0.1:1"

    ended = cli("doctor", "--json", AWS_ENDPOINT_URL_SECRETS_MANAGER=nowhere, TOKEN_ENDPOINT=nowhere)

    assert {"region": "ok", "clock": "skipped", "secret": "failed", "token endpoint": "skipped"}.items() <= (
        grades(ended).items()
    )


def test_configuration(cli: Cli) -> None:
    """A wrong setting is all that is reported."""
    ended = cli("doctor", TOKEN_ENDPOINT="http://example.com")

    assert 1 == ended.code
    assert "FAILED configuration: TOKEN_ENDPOINT must be https" in ended.screen


def test_region_of_a_profile(cli: Cli, environment: dict[str, str], tmp_path: Any) -> None:
    """The region may be the profile's."""
    del environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]
    config = tmp_path / "config"
    config.write_text("[profile ops]\nregion = eu-north-1\n[default]\nregion = eu-west-3\n")

    assert "eu-west-3, from the profile" in cli("doctor", AWS_CONFIG_FILE=str(config)).screen


def test_a_secret_that_can_not_be_read(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """What is wrong with the secret is one line without commands, and the remedy is another with them."""
    tokens.store(expires_in=DAY)
    store.fault("deny", "GetSecretValue", times=None)

    (check,) = [check for check in cli("doctor", "--json").json["checks"] if check["name"] == "secret"]

    denied = f"secretsmanager:GetSecretValue on secret {SECRET_ID} in eu-central-1 was denied because no identity-based"
    assert check["text"].startswith(f"SecretAccessDenied: {denied}")
    assert check["remedy"].startswith("allow this action")


def test_a_stale_consumer(cli: Cli, tokens: Tokens) -> None:
    """The version that a consumer reports is compared with the current one; the short form of `status` is enough."""
    old = tokens.store(expires_in=DAY)
    for _ in range(60):  # two pages of versions
        new = tokens.store(expires_in=DAY)
    unknown = "3f0c8c35-3c0f-4d5e-8f4e-1d6e7d2b9a10"

    for reported in (old, old[:8]):
        screen = cli("doctor", f"--consumer-version={reported}").screen
        assert "the consumer's cache is stale" in screen
        assert "stored at" in screen
        assert "token_refresh.reader" in screen
    for reported in (new, new[:8]):
        ended = cli("doctor", "--json", f"--consumer-version={reported}")
        assert "the consumer has the current version" in ended.screen
        assert "ok" == grades(ended)["consumers"]
    assert "the consumer reads another secret" in cli("doctor", f"--consumer-version={unknown}").screen


@pytest.mark.parametrize(
    ("reported", "denied", "grade", "printed"),
    [
        ("short", "", "skipped", "needs at least 8 characters"),
        ("00000000", "ListSecretVersionIds", "skipped", "not known: secretsmanager:ListSecretVersionIds on secret"),
        ("00000000", "", "failed", "neither this secret nor a copy of it has version 00000000"),
    ],
)
def test_a_consumer_that_can_not_be_judged(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, reported: str, denied: str, grade: str, printed: str
) -> None:
    """The first characters of a version ID suffice; too few, or a listing that is denied, is no verdict."""
    tokens.store(expires_in=DAY)
    if denied:
        store.fault("deny", denied, times=None)

    ended = cli("doctor", "--json", f"--consumer-version={reported}")

    assert grade == grades(ended)["consumers"]
    assert printed in ended.screen


PUBLISHED = {"PUBLISHED_SECRET_ID": "published"}


def test_a_consumer_of_the_copy(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A reader of the published copy reports a version of the copy: the newest is current, an older one is stale."""
    tokens.store()
    store.client().create_secret(Name="published")
    copies = []
    for offset_seconds in (0, 700):
        store.clock_offset_seconds = offset_seconds
        assert 0 == cli("refresh", "--force", **PUBLISHED).code
        copies.append(store.client().get_secret_value(SecretId="published")["VersionId"])
    old, new = copies

    assert "the consumer has the current version" in cli("doctor", f"--consumer-version={new}", **PUBLISHED).screen
    assert "the consumer's cache is stale" in cli("doctor", f"--consumer-version={old}", **PUBLISHED).screen


def published_check(cli: Cli) -> dict[str, str]:
    (check,) = [check for check in cli("doctor", "--json", **PUBLISHED).json["checks"] if "published" in check["name"]]
    return dict(check)


@pytest.mark.parametrize("key", ["refreshToken", "refresh_token"])
def test_a_published_secret_with_a_refresh_token(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, key: str
) -> None:
    """Each version of the published secret that holds a refresh token is named with its labels, and never its value."""
    tokens.store(expires_in=DAY)
    client = store.client()
    client.create_secret(Name="published")
    leak = client.put_secret_value(SecretId="published", SecretString=json.dumps({key: "the-grant"}))["VersionId"]
    current = published_check(cli)
    cli("refresh", **PUBLISHED)
    previous = published_check(cli)
    client.update_secret_version_stage(SecretId="published", VersionStage="AWSPREVIOUS", RemoveFromVersionId=leak)
    without_labels = published_check(cli)

    assert ["failed"] * 3 == [check["grade"] for check in (current, previous, without_labels)]
    assert current["text"].endswith(f"a refresh token, in version {leak} AWSCURRENT")
    assert previous["text"].endswith(f"a refresh token, in version {leak} AWSPREVIOUS")
    assert without_labels["text"].endswith(f"a refresh token, in version {leak}")
    assert "token-refresh authorize upwork-oauth-tokens --region eu-central-1" in current["remedy"]
    assert "the-grant" not in str([current, previous, without_labels])


def test_a_published_secret_as_it_should_be(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """What a run publishes holds no refresh token; versions that may not be listed are no verdict."""
    tokens.store(expires_in=DAY)
    store.client().create_secret(Name="published")
    cli("refresh", "--force", **PUBLISHED)

    healthy = published_check(cli)
    store.fault("deny", "ListSecretVersionIds", times=None)
    unknown = published_check(cli)

    assert ("ok", "published: no refresh token in its 2 versions") == (healthy["grade"], healthy["text"])
    assert "skipped" == unknown["grade"]
