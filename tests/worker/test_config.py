from datetime import timedelta

import pytest

from token_refresh.config import Settings, check_timeout, read_settings, token_secret_id
from token_refresh.core.schedule import Policy
from token_refresh.errors import ConfigurationError
from token_refresh.oauth.request import AuthMethod
from token_refresh.secret_value import SecretValue
from token_refresh.stored.credentials import ClientCredentials


def test_the_defaults_are_upwork_s() -> None:
    """Without any variable the worker is set up for Upwork."""
    expected = Settings(
        token_secret_id="upwork-oauth-tokens",
        client_secret_id=None,
        published_secret_id=None,
        client=None,
        token_endpoint="https://www.upwork.com/api/v3/oauth2/token",
        auth_method=AuthMethod.POST,
        policy=Policy(
            refresh_window=timedelta(hours=8), replay_grace=timedelta(hours=24), claim_time_to_live=timedelta(minutes=2)
        ),
        request_timeout_seconds=20.0,
        log_level="INFO",
    )

    assert expected == read_settings({})
    assert expected == read_settings({"TOKEN_SECRET_ID": "", "REFRESH_WINDOW_SECONDS": "", "CLIENT_SECRET_ID": ""})


def test_every_variable_is_read() -> None:
    """Each variable of the table has its effect."""
    found = read_settings(
        {
            "TOKEN_SECRET_ID": "tokens",
            "CLIENT_SECRET_ID": "client",
            "PUBLISHED_SECRET_ID": "published",
            "UPWORK_CLIENT_ID": "id",
            "UPWORK_CLIENT_SECRET": "hush",
            "TOKEN_ENDPOINT": "https://example.com/token?tenant=1",
            "TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_basic",
            "REFRESH_WINDOW_SECONDS": "600",
            "REPLAY_GRACE_SECONDS": "0",
            "CLAIM_TTL_SECONDS": "3600",
            "REQUEST_TIMEOUT_SECONDS": "5",
            "LOG_LEVEL": "debug",
        }
    )

    expected = Settings(
        token_secret_id="tokens",
        client_secret_id="client",
        published_secret_id="published",
        client=ClientCredentials(client_id="id", client_secret=SecretValue("hush")),
        token_endpoint="https://example.com/token?tenant=1",
        auth_method=AuthMethod.BASIC,
        policy=Policy(
            refresh_window=timedelta(minutes=10), replay_grace=timedelta(0), claim_time_to_live=timedelta(hours=1)
        ),
        request_timeout_seconds=5.0,
        log_level="DEBUG",
    )
    assert expected == found
    assert "hush" not in repr(found)
    assert "tokens" == token_secret_id({"TOKEN_SECRET_ID": "tokens"})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/t", "http://127.9.9.9/t", "http://[::1]/t", "http://localhost/t"]
)
def test_http_is_allowed_on_loopback(url: str) -> None:
    """A provider on this very machine may be reached without TLS."""
    assert url == read_settings({"TOKEN_ENDPOINT": url}).token_endpoint


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TOKEN_ENDPOINT", "http://example.com/t", "must be https; http is allowed for loopback hosts alone"),
        ("TOKEN_ENDPOINT", "http://127.0.0.1.example.com/t", "must be https"),
        ("TOKEN_ENDPOINT", "ftp://example.com", "must be an https URL with a host"),
        ("TOKEN_ENDPOINT", "https://", "must be an https URL with a host"),
        ("TOKEN_ENDPOINT", "canary", "must be an https URL with a host"),
        ("TOKEN_ENDPOINT", "https://id:canary@example.com/t", "must have neither credentials nor a fragment"),
        ("TOKEN_ENDPOINT", "https://canary@example.com/t", "must have neither credentials nor a fragment"),
        ("TOKEN_ENDPOINT", "https://example.com/t#canary", "must have neither credentials nor a fragment"),
        ("TOKEN_ENDPOINT", "https://example.com:canary/t", "is not a URL"),
        (
            "TOKEN_ENDPOINT_AUTH_METHOD",
            "canary",
            "must be one of client_secret_basic|must be one of client_secret_post",
        ),
        ("REFRESH_WINDOW_SECONDS", "0", "must be a whole number of seconds from 1 to 2592000"),
        ("REFRESH_WINDOW_SECONDS", "8h", "must be a whole number of seconds"),
        ("REPLAY_GRACE_SECONDS", "-1", "must be a whole number of seconds from 0 to 2592000"),
        ("CLAIM_TTL_SECONDS", "0", "must be a whole number of seconds from 1 to 3600"),
        ("CLAIM_TTL_SECONDS", "3601", "must be a whole number of seconds from 1 to 3600"),
        ("CLAIM_TTL_SECONDS", "1" * 5000, "must be a whole number of seconds"),
        ("CLAIM_TTL_SECONDS", "٣", "must be a whole number of seconds"),
        ("REQUEST_TIMEOUT_SECONDS", "20.5", "must be a whole number of seconds from 1 to 300"),
        ("LOG_LEVEL", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ],
)
def test_a_wrong_value_names_the_variable_and_not_the_value(name: str, value: str, says: str) -> None:
    """A wrong setting says which and what it must be; it may hold a secret, and is not shown."""
    with pytest.raises(ConfigurationError, match=f"{name} (.*)({says})") as caught:
        read_settings({name: value})

    assert "canary" not in str(caught.value)


def test_a_claim_must_outlive_the_function() -> None:
    """A claim that ended before the run could would let another run redeem beside it."""
    policy = read_settings({"CLAIM_TTL_SECONDS": "90"}).policy

    check_timeout(policy, 89.9)
    with pytest.raises(ConfigurationError, match="CLAIM_TTL_SECONDS is 90 and must exceed the function's timeout"):
        check_timeout(policy, 90.0)
