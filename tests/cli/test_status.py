"""`status`: what it says, and its exit status."""

from datetime import UTC, datetime, timedelta

import pytest

from builders import DAY, HOUR
from cli.scene import SECRET_ID, Cli, Tokens, grades
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


def test_healthy(cli: Cli, tokens: Tokens) -> None:
    """A token set that is not due is healthy, exit status 0, with its version, its expiry and when it is due."""
    version_id = tokens.store(expires_in=20 * HOUR + timedelta(seconds=30))

    ended = cli("status")

    assert 0 == ended.code
    assert f"HEALTHY {SECRET_ID} in eu-central-1 current version {version_id}" in ended.screen
    assert "(in 20 h)" in ended.screen
    assert "(in 12 h)" in ended.screen
    assert "no refresh is due" in ended.screen
    assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_single_use(cli: Cli, tokens: Tokens) -> None:
    """Without a grace the refresh token is single use."""
    tokens.store(expires_in=DAY)

    assert "single use" in cli("status", REPLAY_GRACE_SECONDS="0").screen


@pytest.mark.parametrize("provider", ["paypal", "threads"])
def test_without_a_refresh_token(cli: Cli, tokens: Tokens, provider: str) -> None:
    """A token set of a provider that has no refresh tokens is healthy without one, for `doctor` too."""
    tokens.store(expires_in=50 * DAY, refreshToken=None)

    assert 0 == cli("status", PROVIDER=provider).code
    assert "ok" == grades(cli("doctor", "--json", PROVIDER=provider))["secret"]


@pytest.mark.parametrize("provider", ["paypal", "threads"])
def test_unreadable_without_a_refresh_token(cli: Cli, tokens: Tokens, provider: str) -> None:
    """What is wrong with such a token set is named, and not the refresh token that it lacks."""
    tokens.store(refreshToken=None, expiresAt="tomorrow")

    ended = cli("status", PROVIDER=provider)

    assert 2 == ended.code
    assert "expiresAt is a string and not an ISO 8601" in ended.screen


def test_due(cli: Cli, tokens: Tokens) -> None:
    """A token set that is due, and not yet overdue, is healthy: the next run refreshes it."""
    tokens.store(expires_in=7 * HOUR)

    ended = cli("status")

    assert 0 == ended.code
    assert "next run refreshes the tokens" in ended.screen


def test_overdue(cli: Cli, tokens: Tokens) -> None:
    """Where half of the time in which a refresh is due has passed, no run seems to come: attention, exit status 1."""
    tokens.store(expires_in=3 * HOUR - timedelta(seconds=30))

    ended = cli("status")

    assert 1 == ended.code
    assert "the refresh is overdue: it was due 5 h ago" in ended.screen
    assert f"token-refresh doctor {SECRET_ID} --function NAME --region eu-central-1" in ended.screen


def test_expired(cli: Cli, tokens: Tokens) -> None:
    """An access token that has expired is broken, exit status 2."""
    tokens.store(expires_in=-HOUR - timedelta(seconds=30))

    ended = cli("status")

    assert 2 == ended.code
    assert "the access token expired 1 h ago" in ended.screen


@pytest.mark.parametrize("missing", ["accessToken", "expiresAt"])
def test_incomplete(cli: Cli, tokens: Tokens, missing: str) -> None:
    """A token set without an access token or an expiry needs attention: the next run gets one."""
    tokens.store()
    tokens.put({name: value for name, value in tokens.current().items() if name != missing})

    ended = cli("status")

    assert 1 == ended.code
    assert "there is no access token, or its expiry is unknown" in ended.screen


def test_not_found(cli: Cli, tokens: Tokens) -> None:
    """A secret that can't be found has no state: exit status 3, on standard error, with what to do."""
    del tokens

    ended = cli("status")

    assert (3, "") == (ended.code, ended.out)
    assert f"SecretNotFound: secret {SECRET_ID} does not exist in eu-central-1" in ended.screen
    assert "token-refresh authorize" in ended.screen


def test_denied(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """For a caller who may not read, the health is unknown: exit status 3, and the action that was refused."""
    tokens.store()
    store.fault("deny", "GetSecretValue", times=None)

    ended = cli("status")

    assert 3 == ended.code
    assert "SecretAccessDenied: secretsmanager:GetSecretValue" in ended.screen


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_no_document(cli: Cli, tokens: Tokens, flags: tuple[str, ...]) -> None:
    """A secret without a token document is broken, exit status 2, not unknown."""
    tokens.put({"clientId": "only this"})

    ended = cli("status", *flags)

    assert 2 == ended.code
    assert "InvalidSecretDocument" in ended.screen


def test_empty(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A secret without a value, as it is deployed, is broken until someone authorizes."""
    del tokens
    store.client().create_secret(Name=SECRET_ID)

    ended = cli("status")

    assert 2 == ended.code
    assert "BROKEN SecretEmpty" in ended.screen
    assert "token-refresh authorize" in ended.screen


def test_a_published_copy_is_no_broken_token_set(cli: Cli, tokens: Tokens) -> None:
    """The published copy has no refresh token; it says what it is, and where to look instead."""
    tokens.put({"accessToken": "a", "expiresAt": 4_000_000_000_000, "sourceVersionId": "v"})

    ended = cli("status")

    assert "is the published copy for consumers" in ended.screen
    assert "token-refresh authorize" not in ended.screen


def test_json(cli: Cli, tokens: Tokens) -> None:
    """Machines get one JSON object with the same exit status, and times in ISO 8601."""
    version_id = tokens.store(expires_in=3 * HOUR)

    ended = cli("status", "--json")

    assert (1, "") == (ended.code, ended.err)
    assert ("attention", version_id, ["AWSCURRENT"]) == tuple(
        ended.json[name] for name in ("health", "version_id", "labels")
    )
    assert "attention" == ended.json["findings"][0]["health"]
    assert 10_700 < ended.json["seconds_to_expiry"] <= 10_801  # the service tells the time in whole seconds
    assert ended.json["due_at"].endswith("Z")


def test_json_unknown(cli: Cli) -> None:
    """For machines, too, a state that could not be read is exit status 3, with the error by its name."""
    ended = cli("status", "--json")

    assert 3 == ended.code
    assert ("unknown", "SecretNotFound") == (ended.json["health"], ended.json["error_type"])


def test_wrong_setting(cli: Cli) -> None:
    """A wrong setting is named, and is exit status 3."""
    ended = cli("status", CLAIM_TTL_SECONDS="never")

    assert 3 == ended.code
    assert "ConfigurationError: CLAIM_TTL_SECONDS must be a whole number" in ended.screen


def test_secret_of_another_name(cli: Cli, tokens: Tokens) -> None:
    """The secret is named by argument, option or variable, alike."""
    tokens.store(expires_in=20 * HOUR)

    assert "other" in cli("status", "other").screen
    assert "other" in cli("status", "--secret-id", "other").screen
    assert "other" in cli("status", TOKEN_SECRET_ID="other").screen
    assert 0 == cli("status", SECRET_ID, "--secret-id", SECRET_ID).code


def origin(ends_in: timedelta, *, host: str = "127.0.0.1") -> dict[str, object]:
    ends_at = (datetime.now(UTC) + ends_in).isoformat()
    return {"host": host, "grace_seconds": 0, "store": "versions", "grant_ends_at": ends_at}


def test_the_end_of_the_grant(cli: Cli, tokens: Tokens) -> None:
    """It prints when the grant ends, and whether a refresh moves that."""
    tokens.store(expires_in=20 * DAY, tokenRefresh=origin(timedelta(days=90, seconds=30)))

    moved, fixed = cli("status", PROVIDER="zoom"), cli("status", PROVIDER="linkedin")

    assert (0, 0) == (moved.code, fixed.code)
    assert "(in 90 d), unless a refresh prolongs it" in moved.screen
    assert "(in 90 d) provider LinkedIn" in fixed.screen
    assert cli("status", "--json", PROVIDER="zoom").json["grant_ends_at"].startswith("20")
    assert "; the grant ends in 90 d" in cli("doctor", PROVIDER="zoom").screen


@pytest.mark.parametrize(("days", "printed"), [(5, "the grant ends in 5 d"), (-5, "the grant ended 5 d ago")])
def test_a_grant_that_ends_soon(cli: Cli, tokens: Tokens, days: int, printed: str) -> None:
    """A grant that no refresh prolongs needs a person: a week before its end it is attention, with the command."""
    tokens.store(expires_in=20 * DAY, tokenRefresh=origin(timedelta(days=days, seconds=30 if days > 0 else -30)))

    ended = cli("status", PROVIDER="linkedin")

    assert 1 == ended.code
    assert f"! {printed}, and no refresh prolongs it -> authorize again:" in ended.screen
    assert f"token-refresh authorize {SECRET_ID}" in ended.screen
    assert 0 == cli("status", PROVIDER="zoom").code


def test_an_end_that_the_last_refresh_did_not_move(cli: Cli, tokens: Tokens) -> None:
    """Tokens that were issued when the grant was ending already prove that no refresh moves its end."""
    issued = {"issuedAt": int(datetime.now(UTC).timestamp() * 1000)}
    tokens.store(expires_in=20 * DAY, tokenRefresh=origin(timedelta(days=5, seconds=30)), **issued)

    ended = cli("status", PROVIDER="quickbooks")

    assert 1 == ended.code
    assert "! the grant ends in 5 d, and no refresh prolongs it" in ended.screen
    assert "unless a refresh prolongs it" not in ended.screen


def test_tokens_of_another_host(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Tokens of another host are broken with these settings; nothing is sent, and the way out is printed."""
    tokens.store(tokenRefresh={"host": "api.example.com", "grace_seconds": 0, "store": "versions"})

    status, refresh, doctor = cli("status"), cli("refresh", "--force"), cli("doctor")

    assert (2, 1, 1) == (status.code, refresh.code, doctor.code)
    assert "every run fails: the tokens belong to api.example.com, and the settings name 127.0.0.1" in status.screen
    assert "fails: TOKEN_ENDPOINT does not fit the stored tokens" in status.screen
    assert f"token-refresh authorize {SECRET_ID} --region eu-central-1" in status.screen
    assert "skipped token endpoint: not asked" in doctor.screen
    assert [] == endpoint.requests


def test_claims_in_another_store(cli: Cli, tokens: Tokens) -> None:
    """Claims in the other store are broken with these settings, and the command that moves them is printed."""
    tokens.store(tokenRefresh={"host": "127.0.0.1", "grace_seconds": 0, "store": "table"})

    ended = cli("status")
    checked = cli("doctor")

    assert 2 == ended.code
    assert (
        "a run with these settings fails: the claims are in a table, and these keep them in the secret" in ended.screen
    )
    assert f"token-refresh status {SECRET_ID} --function FUNCTION --region eu-central-1" in ended.screen
    assert f"claims move {SECRET_ID} --to versions --table NAME --region eu-central-1" in ended.screen
    assert "the tokens belong to" not in checked.screen


def test_a_lifetime_that_is_too_short(cli: Cli, tokens: Tokens) -> None:
    """Tokens that take more claims than a day has are reported before runs wait, with the way out."""
    now = datetime.now(UTC).timestamp() * 1000
    tokens.store(issuedAt=int(now), expiresAt=int(now + 1_800_000))

    ended = cli("status")

    assert 1 == ended.code
    assert f"token-refresh claims move {SECRET_ID} --to table --table NAME --region eu-central-1" in ended.screen
