from datetime import timedelta

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.run.settings import Settings, read_settings, token_secret_id
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.origin import in_table

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"


def test_the_defaults_are_upwork_s() -> None:
    """Without any variable the worker is set up for Upwork."""
    expected = Settings(
        token_secret_id="upwork-oauth-tokens",
        client_secret_id=None,
        client_secret_field=None,
        published_secret_id=None,
        client=None,
        client_key_id=None,
        claim_table=None,
        kept_tokens_key_id=None,
        provider=load_provider("upwork"),
        request_timeout_seconds=None,
        run_period=None,
        log_level="INFO",
    )

    assert expected == read_settings({})
    assert expected == read_settings({"TOKEN_SECRET_ID": "", "REFRESH_WINDOW_SECONDS": "", "CLIENT_SECRET_ID": ""})
    assert "https://www.upwork.com/api/v3/oauth2/token" == expected.provider.token_endpoint
    assert AuthMethod.POST is expected.provider.request.auth_method
    assert expected.policy == Policy(
        lifetime=timedelta(days=1),
        idle=timedelta(days=14),
        refresh_window=timedelta(hours=8),
        replay_grace=timedelta(hours=24),
        host="www.upwork.com",
    )


def test_every_variable_is_read() -> None:
    """Each variable of the table has its effect."""
    found = read_settings(
        {
            "TOKEN_SECRET_ID": "tokens",
            "CLIENT_SECRET_ID": "client",
            "PUBLISHED_SECRET_ID": "published",
            "UPWORK_CLIENT_ID": "id",
            "UPWORK_CLIENT_SECRET": "hush",
            "CLIENT_KEY_ID": "alias/client",
            "CLAIM_TABLE": "claims",
            "KEPT_TOKENS_KEY_ID": KEY,
            "PROVIDER": "generic",
            "TOKEN_ENDPOINT": "https://example.com/token?tenant=1",
            "TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_basic",
            "REFRESH_WINDOW_SECONDS": "600",
            "REPLAY_GRACE_SECONDS": "30",
            "REQUEST_TIMEOUT_SECONDS": "5",
            "LOG_LEVEL": "debug",
        }
    )

    assert ("tokens", "client", "published") == (
        found.token_secret_id,
        found.client_secret_id,
        found.published_secret_id,
    )
    assert ClientCredentials(client_id="id", client_secret=SecretValue("hush")) == found.client
    assert ("alias/client", "claims", 5.0, "DEBUG") == (
        found.client_key_id,
        found.claim_table,
        found.request_timeout_seconds,
        found.log_level,
    )
    assert ("generic", "https://example.com/token?tenant=1") == (found.provider.name, found.provider.token_endpoint)
    assert AuthMethod.BASIC is found.provider.request.auth_method
    assert found.policy == Policy(
        refresh_window=timedelta(minutes=10),
        replay_grace=timedelta(seconds=30),
        host="example.com",
        claim_store=in_table("claims"),
    )
    assert KEY == found.kept_tokens_key_id
    assert "hush" not in repr(found)
    assert "tokens" == token_secret_id({"TOKEN_SECRET_ID": "tokens"})


@pytest.mark.parametrize(
    ("environment", "name", "grace"),
    [
        ({}, "upwork", timedelta(hours=24)),
        ({"TOKEN_ENDPOINT": "https://www.upwork.com/api/v3/oauth2/token"}, "upwork", timedelta(hours=24)),
        ({"TOKEN_ENDPOINT": "https://WWW.Upwork.com/other"}, "upwork", timedelta(hours=24)),
        ({"TOKEN_ENDPOINT": "https://example.com/token"}, "generic", timedelta(0)),
        ({"TOKEN_ENDPOINT": "https://www.upwork.com.example.com/token"}, "generic", timedelta(0)),
        ({"TOKEN_ENDPOINT": "https://notupwork.com/token"}, "generic", timedelta(0)),
        ({"TOKEN_ENDPOINT": "http://127.0.0.1:8000/token"}, "generic", timedelta(0)),
        ({"PROVIDER": "generic", "TOKEN_ENDPOINT": "https://www.upwork.com/t"}, "generic", timedelta(0)),
        ({"PROVIDER": "upwork", "TOKEN_ENDPOINT": "https://example.com/token"}, "upwork", timedelta(0)),
        ({"PROVIDER": "upwork", "TOKEN_ENDPOINT": "http://127.0.0.1:8000/token"}, "upwork", timedelta(hours=24)),
        (
            {"PROVIDER": "upwork", "TOKEN_ENDPOINT": "https://example.com/token", "REPLAY_GRACE_SECONDS": "60"},
            "upwork",
            timedelta(minutes=1),
        ),
    ],
)
def test_only_upwork_s_endpoint_gets_upwork_s_grace(environment: dict[str, str], name: str, grace: timedelta) -> None:
    """An endpoint that isn't the profile's gets no grace, unless it is this machine's or a setting names one."""
    provider = read_settings(environment).provider

    assert (name, grace) == (provider.name, provider.grace.duration)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PROVIDER", "canary", "must be one of .*generic.*upwork"),
        ("TOKEN_ENDPOINT", "http://example.com/t", "must be https; http is allowed for loopback hosts only"),
        ("TOKEN_ENDPOINT", "http://127.0.0.1.example.com/t", "must be https"),
        ("TOKEN_ENDPOINT", "ftp://example.com", "must be an https URL with a host"),
        ("TOKEN_ENDPOINT", "canary", "must be an https URL with a host"),
        ("TOKEN_ENDPOINT", "https://id:canary@example.com/t", "must have neither credentials nor a fragment"),
        ("TOKEN_ENDPOINT", "https://example.com/t#canary", "must have neither credentials nor a fragment"),
        ("TOKEN_ENDPOINT", "https://example.com:canary/t", "is not a URL"),
        (
            "TOKEN_ENDPOINT_AUTH_METHOD",
            "canary",
            "must be one of client_secret_post, client_secret_basic, none, private_key_jwt, aws_iam_jwt, secret_",
        ),
        ("REFRESH_WINDOW_SECONDS", "0", "must be a whole number of seconds from 1 to 2592000"),
        ("REPLAY_GRACE_SECONDS", "-1", "must be a whole number of seconds from 0 to 2592000"),
        ("REFRESH_WINDOW_SECONDS", "1" * 5000, "must be a whole number of seconds"),
        ("REFRESH_WINDOW_SECONDS", "٣", "must be a whole number of seconds"),
        ("REQUEST_TIMEOUT_SECONDS", "20.5", "must be a whole number of seconds from 1 to 300"),
        ("LOG_LEVEL", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("CLIENT_SECRET_ID", "canary secret", "must be the name or ARN of a secret, .*: character 7 of 13 can't"),
        ("CLIENT_SECRET_ID", "ssm:/canary", "must be .*: character 4 of 11 can't be there"),
        ("CLIENT_SECRET_ID", "canary#", "must be .*: it ends after 7 characters"),
    ],
)
def test_a_wrong_value_names_the_variable_and_not_the_value(name: str, value: str, says: str) -> None:
    """A wrong setting says which and what it must be; it may hold a secret, and is not printed."""
    with pytest.raises(ConfigurationError, match=f"{name} ({says})") as caught:
        read_settings({name: value})

    assert "canary" not in str(caught.value)


def test_a_profile_without_an_endpoint_needs_one() -> None:
    """`generic` stands for any server, so the deployment must name its endpoint."""
    with pytest.raises(ConfigurationError, match="TOKEN_ENDPOINT must be set, because the profile generic has no"):
        read_settings({"PROVIDER": "generic"})


def test_private_key_jwt_needs_a_key() -> None:
    """An assertion can't be signed without a KMS key, and that shows before anything is claimed."""
    environment = {"TOKEN_ENDPOINT_AUTH_METHOD": "private_key_jwt"}

    with pytest.raises(ConfigurationError, match="CLIENT_KEY_ID must be the ARN or alias of the KMS key"):
        read_settings(environment)
    settings = read_settings(environment | {"CLIENT_KEY_ID": "alias/client"})
    assert AuthMethod.PRIVATE_KEY_JWT is settings.provider.request.auth_method


@pytest.mark.parametrize("name", ["hubspot", "xero"])
def test_a_short_lifetime_needs_a_claim_table(name: str) -> None:
    """Tokens of 30 minutes are refused where claims are versions of the secret; the error names the way out."""
    says = f"PROVIDER {name} doesn't fit the claim store: access tokens live 30 minutes, .* and deploy: claim_table = "

    with pytest.raises(ConfigurationError, match=says):
        read_settings({"PROVIDER": name})
    assert name == read_settings({"PROVIDER": name, "CLAIM_TABLE": "claims"}).provider.name


@pytest.mark.parametrize("value", ["alias/kept", "1234", "arn:aws:kms:eu-central-1:123456789012:alias/kept"])
def test_the_key_of_kept_tokens_is_an_arn(value: str) -> None:
    """It is found out by each run, and not by the one whose tokens nothing else takes."""
    with pytest.raises(ConfigurationError, match="KEPT_TOKENS_KEY_ID must be the ARN of a KMS key"):
        read_settings({"CLAIM_TABLE": "claims", "KEPT_TOKENS_KEY_ID": value})
