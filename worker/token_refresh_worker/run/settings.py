"""Settings, read from the environment at each invocation and checked as a whole.

docs/configuration.md lists the variables.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum, auto
from typing import Final

from token_refresh.aws.arn import KMS_KEY, name_same_secret, secret_name
from token_refresh.errors import ConfigurationError, InvalidSecretDocument
from token_refresh.reference import parse_secret_id
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.oauth.formats import AuthMethod, Grant
from token_refresh_worker.providers.endpoint import host_of, read_endpoint
from token_refresh_worker.providers.lifetime import lifetime_problem
from token_refresh_worker.providers.loader import load_provider, nearest, own_profiles, profile_names
from token_refresh_worker.providers.provider import Grace, Provider
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials
from token_refresh_worker.stored.origin import IN_VERSIONS, LONGEST_GRACE, in_table


class Variable(StrEnum):
    """A variable that the function reads at each invocation.

    One without words is the deployment's parameter of its name, without `_ID` (docs/parameters.md).
    """

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    TOKEN_SECRET_ID = auto()
    CLIENT_SECRET_ID = auto()
    """Secret with the client credentials; may contain `{provider}`, and end in `#field`. Default: the token secret."""
    PUBLISHED_SECRET_ID = auto()
    """The copy for consumers, without the refresh token. In a fleet `{secret}` in it is the token secret's name."""
    PROVIDER = auto()
    PROVIDER_PROFILES = auto()
    """Folder with profiles of your own, for commands. In a function with profiles of your own it is `in the zip`."""
    TOKEN_ENDPOINT = auto()
    TOKEN_ENDPOINT_AUTH_METHOD = auto()
    CLIENT_KEY_ID = auto()
    CLIENT_ASSERTION_AUDIENCE = auto()
    REFRESH_WINDOW_SECONDS = auto()
    TOKEN_LIFETIME_SECONDS = auto()
    REPLAY_GRACE_SECONDS = auto()
    REQUEST_TIMEOUT_SECONDS = auto()
    RUN_PERIOD_SECONDS = auto()
    """Longest time between two scheduled runs, from which `status` knows that a refresh is late.

    Default: a third of the time in which a refresh is due, at most 2400.
    """
    CLAIM_TABLE = auto()
    KEPT_TOKENS_KEY_ID = auto()
    FLEET_NAME = auto()
    """Name of the fleet (docs/fleet.md)."""
    FLEET_QUEUE_URL = auto()
    """URL of the fleet's queue."""
    EVENT_BUS = auto()
    LOG_LEVEL = auto()
    UPWORK_CLIENT_ID = auto()
    """The client ID, where neither secret has it."""
    UPWORK_CLIENT_SECRET = auto()
    """The client secret, likewise. Keep it in a secret instead: `lambda:GetFunctionConfiguration` shows it."""


DEFAULT_SECRET_ID: Final = "upwork-oauth-tokens"  # noqa: S105 - a name
DEFAULT_PROVIDER: Final = "upwork"
GENERIC_PROVIDER: Final = "generic"

_YEAR_SECONDS: Final = 365 * 24 * 3600
_MONTH_SECONDS: Final = 30 * 24 * 3600
_SIGNED_BY: Final = {
    AuthMethod.PRIVATE_KEY_JWT: ("RS256", "PS256", "ES256"),  # what KMS signs
    AuthMethod.AWS_IAM_JWT: ("RS256", "ES384"),  # what AWS STS signs
}
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """What is configured by the variables."""

    token_secret_id: str
    client_secret_id: str | None
    client_secret_field: str | None
    """The key of that secret's JSON object under which the credentials are; None: they are the whole object."""
    published_secret_id: str | None
    client: ClientCredentials | None
    """From the environment: the last place to look."""
    client_key_id: str | None
    """The KMS key that signs `private_key_jwt` assertions."""
    claim_table: str | None
    """The DynamoDB table for claims; without it, claims are versions of the secret."""
    kept_tokens_key_id: str | None
    """The KMS key for tokens that the claim table keeps; None where it keeps none."""
    provider: Provider
    """With the deployment's variables applied; `Provider.for_document` applies the document's."""
    request_timeout_seconds: float | None
    """None where it is not set: 20 seconds, or with a grace of 0 all the time that the run can spare."""
    run_period: timedelta | None
    """The longest time between two scheduled runs; None where it is not set."""
    log_level: str

    @property
    def policy(self) -> Policy:
        """What the core needs: times, host and claim store."""
        return Policy(
            refresh_window=self.provider.refresh_window,
            replay_grace=self.provider.grace.duration,
            host=self.provider.host,
            claim_store=IN_VERSIONS if self.claim_table is None else in_table(self.claim_table),
            lifetime=self.provider.access_token_lifetime,
            idle=self.provider.refresh_token.idle,
            token_is_grant=self.provider.request.grant is Grant.EXCHANGE,
        )


def is_host_of_upwork(host: str) -> bool:
    """Whether a host is of the default provider's domain."""
    return f".{host}".endswith(".upwork.com")


def token_secret_id(environment: Mapping[str, str]) -> str:
    """Return the configured secret. The log names it even if the rest of the configuration is wrong."""
    return environment.get(Variable.TOKEN_SECRET_ID) or DEFAULT_SECRET_ID


def copy_name(template: str | None, secret_id: str) -> str | None:
    """Return which secret is the copy of a token secret; a fleet has one setting for the copies of all its secrets."""
    return template and template.replace("{secret}", secret_name(secret_id))


def names_copy(template: str, secret_id: str) -> bool:
    """Whether the setting names this secret as a copy: as the one, or by the prefix of a fleet's."""
    under, is_of_fleet, _ = template.partition("{secret}")
    if is_of_fleet:
        return bool(under) and secret_name(secret_id).startswith(under)
    return name_same_secret(template, secret_id)


def read_settings(environment: Mapping[str, str], *, any_lifetime: bool = False) -> Settings:
    """Read and check all variables; an empty one counts as not set.

    Raises:
        ConfigurationError: One is wrong; the message names it and what it must be. Or the provider's tokens live too
            short for the claim store (`claim_store_problem`), unless `any_lifetime` is accepted.
    """
    given = {name: value for name, value in environment.items() if value}
    timeout = _read_seconds(given, Variable.REQUEST_TIMEOUT_SECONDS, range(1, 301))
    provider = _read_provider(given)
    # A fleet has one setting for the client secrets of many providers.
    client_secret_id = given.get(Variable.CLIENT_SECRET_ID, "").replace("{provider}", provider.name)
    client_secret = parse_secret_id(Variable.CLIENT_SECRET_ID, client_secret_id) if client_secret_id else None
    key_id = given.get(Variable.KEPT_TOKENS_KEY_ID)
    # Found out by each run, and not by the one that needs it.
    if key_id is not None and not re.fullmatch(KMS_KEY, key_id):
        raise ConfigurationError.of(Variable.KEPT_TOKENS_KEY_ID, "must be the ARN of a KMS key")
    settings = Settings(
        token_secret_id=token_secret_id(given),
        client_secret_id=client_secret and client_secret.name,
        client_secret_field=client_secret and client_secret.field,
        published_secret_id=copy_name(given.get(Variable.PUBLISHED_SECRET_ID), token_secret_id(given)),
        client=_read_client(given),
        client_key_id=given.get(Variable.CLIENT_KEY_ID),
        claim_table=given.get(Variable.CLAIM_TABLE),
        kept_tokens_key_id=key_id,
        provider=provider,
        request_timeout_seconds=timeout.total_seconds() if timeout else None,
        run_period=_read_seconds(given, Variable.RUN_PERIOD_SECONDS, range(60, _MONTH_SECONDS + 1)),
        log_level=_read_choice(given, Variable.LOG_LEVEL, _LOG_LEVELS, normalise=str.upper) or "INFO",
    )
    _check_assertions(settings)
    problem = None if any_lifetime else claim_store_problem(settings)
    if problem is not None:
        raise problem
    return settings


def _check_assertions(settings: Settings) -> None:
    method, algorithm = settings.provider.request.auth_method, settings.provider.request.assertion_algorithm
    if method is AuthMethod.PRIVATE_KEY_JWT and settings.client_key_id is None:
        raise ConfigurationError.of(
            Variable.CLIENT_KEY_ID,
            "must be the ARN or alias of the KMS key that signs assertions, because the client authenticates with "
            "private_key_jwt",
        )
    if algorithm not in _SIGNED_BY.get(method, (algorithm,)):
        raise ConfigurationError(
            f"assertion_algorithm in the profile {settings.provider.name} is {algorithm}, and with {method} it must be "
            f"one of {', '.join(_SIGNED_BY[method])}"
        )


def claim_store_problem(settings: Settings) -> ConfigurationError | None:
    """Say why the provider's tokens live too short for the claim store, and the way out; None if they fit."""
    documented = settings.provider.access_token_lifetime
    if documented is None:
        return None
    problem = lifetime_problem(documented, settings.policy.claim_store.kind)
    if problem is None:
        return None
    what = f"{settings.provider.name} doesn't fit the claim store"
    return ConfigurationError.of(Variable.PROVIDER, what, why=problem.what, fix=problem.fix)


def _read_client(given: Mapping[str, str]) -> ClientCredentials | None:
    client_id, client_secret = given.get(Variable.UPWORK_CLIENT_ID), given.get(Variable.UPWORK_CLIENT_SECRET)
    try:
        return read_credentials({"client_id": client_id, "client_secret": client_secret})
    except InvalidSecretDocument as wrong:
        # os.environ turns bytes that are not UTF-8 into halves of surrogate pairs (PEP 383). The message has no value.
        raise ConfigurationError(f"UPWORK_CLIENT_ID or UPWORK_CLIENT_SECRET can't be used: {wrong}") from None


def _read_provider(given: Mapping[str, str]) -> Provider:
    """Load the profile, then apply the deployment's variables."""
    url = given.get(Variable.TOKEN_ENDPOINT)
    endpoint = None if url is None else read_endpoint(Variable.TOKEN_ENDPOINT, url)
    provider = _load_profile(given, endpoint)
    # Before the grace: at another host the profile's grace is dropped, and REPLAY_GRACE_SECONDS sets it again.
    if endpoint is not None:
        provider = provider.at_endpoint(endpoint)
    if not provider.token_endpoint:
        problem = f"must be set, because the profile {provider.name} has no endpoint"
        raise ConfigurationError.of(Variable.TOKEN_ENDPOINT, problem)
    method = _read_choice(given, Variable.TOKEN_ENDPOINT_AUTH_METHOD, tuple(AuthMethod))
    window = _read_seconds(given, Variable.REFRESH_WINDOW_SECONDS, range(1, _MONTH_SECONDS + 1))
    lifetime = _read_seconds(given, Variable.TOKEN_LIFETIME_SECONDS, range(1, 10 * _YEAR_SECONDS + 1))
    grace = _read_seconds(given, Variable.REPLAY_GRACE_SECONDS, range(int(LONGEST_GRACE.total_seconds()) + 1))
    request = replace(
        provider.request,
        auth_method=AuthMethod(method) if method else provider.request.auth_method,
        assertion_audience=given.get(Variable.CLIENT_ASSERTION_AUDIENCE) or provider.request.assertion_audience,
    )
    return replace(
        provider,
        request=request,
        refresh_window=window or provider.refresh_window,
        access_token_lifetime=lifetime or provider.access_token_lifetime,
        grace=provider.grace if grace is None else Grace(duration=grace),
    )


def _load_profile(given: Mapping[str, str], endpoint: str | None) -> Provider:
    name, own = given.get(Variable.PROVIDER), own_profiles(given)
    if name is None:
        # An endpoint of its own must not get Upwork's grace: a replay could revoke the grant there.
        is_upwork = endpoint is None or is_host_of_upwork(host_of(endpoint))
        name = DEFAULT_PROVIDER if is_upwork else GENERIC_PROVIDER
    if name not in profile_names(own):
        raise ConfigurationError.of(
            Variable.PROVIDER, f"must be one of {', '.join(profile_names(own))}{nearest(name, own)}"
        )
    return load_provider(name, own)


def _read_seconds(given: Mapping[str, str], name: Variable, allowed: range) -> timedelta | None:
    if name not in given:
        return None
    text = given[name].strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) in allowed):  # noqa: PLR2004 - no huge int
        problem = f"must be a whole number of seconds from {allowed.start} to {allowed.stop - 1}"
        raise ConfigurationError.of(name, problem)
    return timedelta(seconds=int(text))


def _read_choice(
    given: Mapping[str, str], name: Variable, choices: tuple[str, ...], normalise: Callable[[str], str] = str
) -> str | None:
    if name not in given:
        return None
    value = normalise(given[name].strip())
    if value not in choices:
        raise ConfigurationError.of(name, f"must be one of {', '.join(choices)}")
    return value
