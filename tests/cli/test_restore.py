"""`restore`: which versions come back into use, and which are refused."""

from typing import Any

import pytest

from builders import DAY
from cli.scene import SECRET_ID, Cli, Tokens, claim
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


def test_restore(cli: Cli, tokens: Tokens) -> None:
    """A set whose refresh token nobody redeemed comes back whole, as a new version, once that is confirmed."""
    tokens.store(expires_in=DAY, note="the old one")
    old = tokens.current()
    newer = tokens.store(expires_in=DAY)

    declined = cli("restore", stdin="n\n")
    ended = cli("restore", stdin="y\n")

    assert (1, 0) == (declined.code, ended.code)
    assert "no recorded run redeemed its refresh token" in declined.screen
    assert "Restored. current version" in ended.screen
    assert f"replaced {newer}, now AWSPREVIOUS" in ended.screen
    assert old == tokens.current()


def test_restore_without_refresh_tokens(cli: Cli, tokens: Tokens) -> None:
    """Garbage over a set without a refresh token: the set comes back, and no message mentions a refresh token."""
    tokens.store(expires_in=50 * DAY, refreshToken=None)
    old = tokens.current()
    tokens.put("a page of HTML")

    ended = cli("restore", "--yes", PROVIDER="threads")

    assert 0 == ended.code
    assert "no recorded run redeemed its access token" in ended.screen
    assert "refresh token" not in ended.screen
    assert old == tokens.current()


def test_restore_in_the_grace(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A redeemed set comes back while the grace lasts, its refresh token doesn't: no request is sent for it again."""
    version_id = tokens.store(expires_in=DAY, note="kept")
    old = tokens.current()
    cli("refresh", "--force")

    ended = cli("restore", f"--version={version_id}", "--yes")

    assert 0 == ended.code
    assert "will not be used again" in ended.screen
    assert old == tokens.current()
    assert "recovered" == cli("refresh", "--force", "--json").json["outcome"]
    assert 1 == len(endpoint.requests)
    assert "kept" == tokens.current()["note"]
    assert endpoint.grant.accepts(tokens.current()["refreshToken"])


@pytest.mark.parametrize(("grace", "offset"), [("0", 0), ("3600", 3700)])
def test_restore_after_the_grace(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, grace: str, offset: int
) -> None:
    """A redeemed set is refused once the provider would no longer take its refresh token."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")
    now = tokens.current()
    store.clock_offset_seconds = offset

    ended = cli("restore", "--yes", REPLAY_GRACE_SECONDS=grace)

    assert 1 == ended.code
    assert "was redeemed at" in ended.screen
    assert f"Get a new token set: token-refresh authorize {SECRET_ID} --region eu-central-1" in ended.screen
    assert now == tokens.current()


def test_an_edited_copy_is_the_same_set(cli: Cli, tokens: Tokens) -> None:
    """It is the refresh token that counts, not the version that it is in."""
    copied = tokens.store(expires_in=DAY, note="copied")
    document = tokens.current()
    tokens.put(document | {"note": "redeemed"})
    cli("refresh", "--force")

    ended = cli("restore", f"--version={copied}", "--yes", REPLAY_GRACE_SECONDS="0")

    assert 1 == ended.code
    assert "was redeemed at" in ended.screen


def test_restore_of_an_unknown_outcome(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A set that may have been redeemed is refused for a single-use provider, and a warning where there is a grace."""
    tokens.store(expires_in=DAY)
    endpoint.play(script.status(500))
    cli("refresh", "--force", REPLAY_GRACE_SECONDS="0")
    tokens.store(expires_in=DAY)

    single_use = cli("restore", "--yes", REPLAY_GRACE_SECONDS="0")
    graced = cli("restore", "--yes")

    assert (1, 0) == (single_use.code, graced.code)
    assert "may have been redeemed (the response is unknown)" in single_use.screen
    assert "the provider accepts it again until" in graced.screen


def test_restore_of_a_claimed_set(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A claim without tokens or a record may have been used."""
    claim(store, tokens.store(expires_in=DAY))
    tokens.store(expires_in=DAY)

    assert "may have been redeemed" in cli("restore", "--yes").screen


def test_restore_of_a_rejected_set(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A set that the provider rejected never comes back."""
    tokens.store(expires_in=DAY)
    endpoint.grant.revoke()
    cli("refresh", "--force")
    tokens.store(expires_in=DAY)

    ended = cli("restore", "--yes")

    assert 1 == ended.code
    assert "the provider rejected that set's refresh token" in ended.screen


def test_restore_after_a_refused_client(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """An attempt that redeemed nothing keeps no set from coming back."""
    tokens.store(expires_in=DAY)
    endpoint.play(script.error("invalid_client", http_status=401))
    cli("refresh", "--force")
    tokens.store(expires_in=DAY)

    assert "no recorded run redeemed" in cli("restore", "--yes", REPLAY_GRACE_SECONDS="0").screen


def test_a_refresh_token_that_never_changes(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Where the provider never changes the refresh token, redeeming it uses up none."""
    endpoint.grant.reuse = "static"
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    assert 0 == cli("restore", "--yes", REPLAY_GRACE_SECONDS="0").code


@pytest.mark.parametrize("arguments", [(), ("--version=3f0c8c35-3c0f-4d5e-8f4e-1d6e7d2b9a10",)])
def test_nothing_to_restore(cli: Cli, tokens: Tokens, arguments: tuple[str, ...]) -> None:
    """Where there is no such version, the history is pointed to."""
    tokens.store(expires_in=DAY)

    ended = cli("restore", *arguments)

    assert 1 == ended.code
    assert f"List the versions: token-refresh history {SECRET_ID} --region eu-central-1" in ended.screen


def test_the_current_version(cli: Cli, tokens: Tokens) -> None:
    """The current version needs no restoring."""
    version_id = tokens.store(expires_in=DAY)

    ended = cli("restore", f"--version={version_id}")

    assert 1 == ended.code
    assert "is the current one" in ended.screen


def test_a_set_without_expiry(cli: Cli, tokens: Tokens) -> None:
    """`restore` takes an old set that has no expiry, and prints none."""
    old = tokens.store(expiresAt=None)
    tokens.store(expires_in=DAY)

    ended = cli("restore", "--yes")

    assert 0 == ended.code
    assert old in ended.err
    assert "expires" not in ended.err


def test_broken_versions(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A version that is no token set is no obstacle to restoring another."""
    old = tokens.store(expires_in=DAY)
    tokens.put("no JSON")
    members: dict[str, Any] = {"SecretId": SECRET_ID, "SecretBinary": b"binary", "VersionStages": ["mine"]}
    store.client().put_secret_value(**members)
    tokens.store(expires_in=DAY)

    assert 0 == cli("restore", f"--version={old}", "--yes").code


def test_restore_of_a_version_without_tokens(cli: Cli, tokens: Tokens) -> None:
    """A version that holds no token set is not restored."""
    other = tokens.put("garbage")
    tokens.store(expires_in=DAY)

    ended = cli("restore", f"--version={other}")

    assert 1 == ended.code
    assert f"version {other} holds no token set" in ended.screen
