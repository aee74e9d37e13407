"""Settings, from the environment, read at each invocation and checked as a whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from token_refresh.core.schedule import Policy
from token_refresh.errors import ConfigurationError
from token_refresh.oauth.request import AuthMethod
from token_refresh.stored.credentials import ClientCredentials, read_credentials
from token_refresh.stored.origin import ClaimStoreKind

UPWORK_TOKEN_ENDPOINT: Final = "https://www.upwork.com/api/v3/oauth2/token"  # noqa: S105 - an address
DEFAULT_SECRET_ID: Final = "upwork-oauth-tokens"  # noqa: S105 - a name

_MONTH_SECONDS: Final = 30 * 24 * 3600
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is configured; see the README's table for each variable."""

    token_secret_id: str
    client_secret_id: str | None
    published_secret_id: str | None
    claim_table: str | None
    """The DynamoDB table that holds claims; without it claims are versions of the secret."""
    client: ClientCredentials | None
    """From the environment: the last place that is asked."""
    token_endpoint: str
    auth_method: AuthMethod
    policy: Policy
    request_timeout_seconds: float | None
    """None unless it is set: then the run decides."""
    log_level: str


def token_secret_id(environment: Mapping[str, str]) -> str:
    """Give the configured secret, which the log names also where the rest of the configuration is wrong."""
    return environment.get("TOKEN_SECRET_ID") or DEFAULT_SECRET_ID


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check all variables; an empty one counts as not set.

    Raises:
        ConfigurationError: One is wrong; the message names it and what it must be.
    """
    given = {name: value for name, value in environment.items() if value}
    token_endpoint = read_endpoint("TOKEN_ENDPOINT", given.get("TOKEN_ENDPOINT", UPWORK_TOKEN_ENDPOINT))
    return Settings(
        token_secret_id=token_secret_id(given),
        client_secret_id=given.get("CLIENT_SECRET_ID"),
        published_secret_id=given.get("PUBLISHED_SECRET_ID"),
        claim_table=given.get("CLAIM_TABLE"),
        client=read_credentials(
            {"client_id": given.get("UPWORK_CLIENT_ID"), "client_secret": given.get("UPWORK_CLIENT_SECRET")}
        ),
        token_endpoint=token_endpoint,
        auth_method=AuthMethod(
            _read_choice(given, "TOKEN_ENDPOINT_AUTH_METHOD", AuthMethod.POST, [m.value for m in AuthMethod])
        ),
        policy=Policy(
            refresh_window=_read_seconds(given, "REFRESH_WINDOW_SECONDS", 28_800, range(1, _MONTH_SECONDS + 1)),
            replay_grace=_read_seconds(given, "REPLAY_GRACE_SECONDS", 86_400, range(_MONTH_SECONDS + 1)),
            claim_time_to_live=_read_seconds(given, "CLAIM_TTL_SECONDS", 120, range(1, 3601)),
            host=urlsplit(token_endpoint).hostname or "",
            store=ClaimStoreKind.TABLE if "CLAIM_TABLE" in given else ClaimStoreKind.VERSIONS,
        ),
        request_timeout_seconds=_read_seconds(given, "REQUEST_TIMEOUT_SECONDS", 20, range(1, 301)).total_seconds()
        if "REQUEST_TIMEOUT_SECONDS" in given
        else None,
        log_level=_read_choice(given, "LOG_LEVEL", "INFO", _LOG_LEVELS, normalise=str.upper),
    )


def check_timeout(policy: Policy, timeout_seconds: float) -> None:
    """Check that a claim outlives the run that makes it: otherwise another run could redeem beside it.

    Raises:
        ConfigurationError: It does not.
    """
    ttl_seconds = policy.claim_time_to_live.total_seconds()
    if ttl_seconds <= timeout_seconds:
        raise ConfigurationError(
            f"CLAIM_TTL_SECONDS is {ttl_seconds:.0f} and must exceed the function's timeout ({timeout_seconds:.0f} s "
            "are left of it): raise the one or lower the other"
        )


def _read_seconds(given: Mapping[str, str], name: str, default: int, allowed: range) -> timedelta:
    text = given.get(name, str(default)).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) in allowed):  # noqa: PLR2004 - no huge int
        raise ConfigurationError(f"{name} must be a whole number of seconds from {allowed.start} to {allowed.stop - 1}")
    return timedelta(seconds=int(text))


def _read_choice(
    given: Mapping[str, str],
    name: str,
    default: str,
    choices: tuple[str, ...] | list[str],
    normalise: Callable[[str], str] = str,
) -> str:
    value = normalise(given.get(name, default).strip())
    if value not in choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}")
    return value


def read_endpoint(name: str, url: str) -> str:
    """Check the URL of an endpoint without showing it: someone may have put credentials into it.

    Raises:
        ConfigurationError: It can't be one; the message names the setting.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is not a URL") from None
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigurationError(f"{name} must be an https URL with a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        # RFC 6749 sections 2.3.1 and 3.2.
        raise ConfigurationError(f"{name} must have neither credentials nor a fragment in it")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(f"{name} must be https; http is allowed for loopback hosts alone")
    return url.strip()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, so that nobody can listen on the way."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
