"""The health of a token secret: what is wrong with it, and the command that fixes it."""

from datetime import UTC, datetime, timedelta

import pytest

from builders import DAY, HOUR
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.provider.token_endpoint import TokenEndpoint


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


def test_the_worst_comes_first(cli: Cli, tokens: Tokens) -> None:
    """Of several findings the worst is listed first, and gives health and exit status."""
    tokens.store(expires_in=-HOUR, tokenRefresh=origin(timedelta(days=5)))

    ended = cli("status", "--json", PROVIDER="linkedin")

    assert (2, "broken") == (ended.code, ended.json["health"])
    assert ["broken", "attention"] == [finding["health"] for finding in ended.json["findings"]]


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
    tokens.store(tokenRefresh={"host": "127.0.0.1", "grace_seconds": 0, "store": "table", "table": "claims"})

    ended = cli("status")
    checked = cli("doctor")

    assert 2 == ended.code
    assert "the claims are in table claims, and these keep them in the secret" in ended.screen
    assert f"token-refresh status {SECRET_ID} --function FUNCTION --region eu-central-1" in ended.screen
    assert f"claims move {SECRET_ID} --to versions --region eu-central-1" in ended.screen
    assert "the tokens belong to" not in checked.screen


def test_a_lifetime_that_is_too_short(cli: Cli, tokens: Tokens) -> None:
    """Tokens that take more claims than a day has are reported before runs wait, with the way out."""
    now = datetime.now(UTC).timestamp() * 1000
    tokens.store(issuedAt=int(now), expiresAt=int(now + 1_800_000))

    ended = cli("status")

    assert 1 == ended.code
    assert f"token-refresh claims move {SECRET_ID} --to table --table NAME --region eu-central-1" in ended.screen
