"""`status`: what the last runs left, from a refresh that went well to a claim of a run that died."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.scene import SECRET_ID, Cli, Tokens, claim
from cli.states import SINGLE_USE, lose_received_tokens
from testbed.builders import DAY, HOUR
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.providers.loader import PROFILES


def test_status_of_a_refreshed_secret(cli: Cli, tokens: Tokens) -> None:
    """Status shows provider, host, grace, claim store, the claims of the day, and who forced an attempt."""
    tokens.store()
    cli("refresh", "--force")

    status, fields = cli("status"), cli("status", "--json").json

    assert 0 == status.code
    assert "Last attempts to refresh" in status.screen
    assert "Upwork at 127.0.0.1; accepts a refresh token again for 1 d" in status.screen
    assert "in the secret; 1 of 40 in 24 h" in status.screen
    assert "refreshed, forced" in status.screen
    assert ("upwork", "127.0.0.1", 86_400) == tuple(fields[name] for name in ("provider", "host", "grace_seconds"))
    assert {"store": "versions", "number": 1, "used": 1, "limit": 40} == fields["claims"]
    assert fields["attempts"][0]["forced"]


def test_what_is_staged(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Of the stored attempts, the one whose tokens wait to become current is staged, and no earlier one."""
    tokens.store()
    cli("refresh", "--force")
    store.clock_offset_seconds += 2  # The service tells the time in whole seconds.
    store.fault("deny", "UpdateSecretVersionStage")
    cli("refresh", "--force")

    assert ["staged", "refreshed"] == [attempt["result"] for attempt in cli("status", "--json").json["attempts"]]


def test_failed(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer) -> None:
    """A failed attempt needs attention, with the provider's error code; the second makes the next one wait."""
    tokens.store(expires_in=7 * HOUR)
    for _ in range(2):
        endpoint.play(script.error("invalid_client", http_status=401))
        cli("refresh")
        store.clock_offset_seconds += 2  # The service tells the time in whole seconds.

    ended, narrow = cli("status"), cli("status", COLUMNS="40")
    fields = cli("status", "--json").json

    assert 1 == ended.code
    assert "failed: not redeemed (invalid_client)" in ended.screen
    assert ("failed: not redeemed" in narrow.screen, "claimed" in narrow.screen) == (True, False)
    assert "the backoff after a failed attempt is not over" in ended.screen
    assert "wait" == fields["next_step"]
    assert ["not_redeemed", "not_redeemed"] == [attempt["result"] for attempt in fields["attempts"]]
    assert fields["retry_at"] is not None


def test_a_used_token(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A refresh token whose tokens are gone is broken: only a new authorization helps."""
    tokens.store(expires_in=DAY)
    first = tokens.current()
    cli("refresh", "--force")
    cli("refresh", "--force")
    lose_received_tokens(store)
    tokens.put(first)
    store.clock_offset_seconds += 700  # Before that, a read may only be too old to show them.

    ended = cli("status")

    assert 2 == ended.code
    assert "the tokens that it brought are gone" in ended.screen
    assert "next run sends nothing: the refresh token was used" in ended.screen


@pytest.mark.parametrize(("expires_in", "variables"), [(7.5 * HOUR, {}), (DAY, SINGLE_USE)], ids=["due", "forced"])
def test_live_claim(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, expires_in: timedelta, variables: dict[str, str]
) -> None:
    """While a run holds the claim, nothing is wrong: what it is about to learn is not called unknown."""
    claim(store, tokens.store(expires_in=expires_in))

    ended = cli("status", **variables)

    assert 0 == ended.code
    assert ("another run holds the claim" in ended.screen) == (not variables)
    assert "in progress" in ended.screen


@pytest.mark.parametrize(("provider", "seconds"), [("my-crm", 1800), ("miro", 0), ("upwork", 0)])
def test_safe_caches(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, tmp_path: Path, provider: str, seconds: int
) -> None:
    """A cache of a fixed life is safe for half of the refresh window, and only where a refresh is known to end none."""
    (tmp_path / "my-crm.toml").write_text('old_access_token = "lives"\n' + (PROFILES / "upwork.toml").read_text())
    tokens.store(expires_in=3 * HOUR, issuedAt=int(datetime.now(UTC).timestamp() * 1000))
    store.client().create_secret(Name="published")
    settings = {"PROVIDER": provider, "PUBLISHED_SECRET_ID": "published", "PROVIDER_PROFILES": str(tmp_path)}

    assert seconds == cli("status", "--json", **settings).json["longest_safe_cache_seconds"]


def test_scopes_that_a_refresh_took(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """What a refresh took is named until it is back; a name that no scope has is counted, and never shown."""
    odd = "eyJhbGciOiJub25lIn0.0a1b2c3d"
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "scopes": ["files:read", odd, "mail.send"]}
    tokens.store(expires_in=HOUR, tokenRefresh=origin)
    response = {"access_token": "a", "expires_in": 86400}
    endpoint.play(script.status(200, {**response, "refresh_token": "r1", "scope": "mail.send"}))
    endpoint.play(script.status(200, {**response, "refresh_token": "r2", "scope": f"files:read mail.send {odd}"}))
    cli("refresh")
    shrunk, fields = cli("status", COLUMNS="500"), cli("status", "--json").json
    cli("refresh", "--force")

    assert (1, 2) == (shrunk.code, fields["scopes_lost"])
    assert "without 2 of the grant's scopes: files:read, 1 whose names are not shown" in shrunk.screen
    assert odd not in shrunk.screen
    assert f"token-refresh authorize {SECRET_ID} --region eu-central-1" in shrunk.screen
    assert (0, 0) == (cli("status").code, cli("status", "--json").json["scopes_lost"])


def test_tokens_that_are_not_current_yet(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Tokens that an interrupted run stored need attention, and the printed command makes them current."""
    tokens.store(expires_in=DAY)
    store.fault("deny", "UpdateSecretVersionStage")
    cli("refresh", "--force")

    status, dry, real = cli("status"), cli("refresh", "--dry-run", "--json"), cli("refresh", "--json")

    assert 1 == status.code
    assert "a run was interrupted after it received tokens; they are stored and not current yet" in status.screen
    assert f"token-refresh refresh {SECRET_ID} --region eu-central-1" in status.screen
    assert ["would_recover", "recovered"] == [ended.json["outcome"] for ended in (dry, real)]
    assert 0 == cli("status").code


def test_a_code_of_the_providers_own(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A code that the profile does not list is shown everywhere, so that a person can find out what it means."""
    tokens.store(expires_in=-HOUR)
    endpoint.play(script.status(200, {"status": 293, "body": {}}))
    withings = {"PROVIDER": "withings", "REPLAY_GRACE_SECONDS": "0", "COLUMNS": "500"}

    run = cli("refresh", **withings)
    shown = {command: cli(command, **withings).screen for command in ("status", "history", "doctor")}

    assert run.code
    assert 2 == run.screen.count("no usable access_token, status=293"), "in the log, and in the error"
    assert "no usable response (293)" in shown["status"]
    assert "unknown (293)" in shown["history"]
    assert "no usable response (293)" in shown["doctor"]
