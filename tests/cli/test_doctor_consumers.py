"""`doctor --consumer-version`: whether a consumer has the current token."""

import json

import pytest

from cli.scene import Cli, Tokens, grades
from testbed.builders import DAY
from testbed.secrets_manager.server import SecretsManagerServer


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
        ("00000000", "", "failed", "this secret has no version 00000000"),
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
