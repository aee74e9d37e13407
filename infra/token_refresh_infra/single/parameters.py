"""What a deployment of one worker for one token secret may choose; docs/parameters.md lists each parameter."""

import functools
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from token_refresh.aws.arn import KMS_KEY
from token_refresh.errors import ConfigurationError
from token_refresh.reference import ReferenceScheme, split_reference
from token_refresh.stored.refresh_window import refresh_window
from token_refresh_infra.common import (
    CREATE,
    NONE,
    CommonParameters,
    event_bus,
    families,
    kept_tokens_key,
    part,
    reference_to,
    secret,
)
from token_refresh_infra.context import ParameterError, optional, several, switch, text, whole
from token_refresh_infra.single.timing import AlarmTiming, longest_gap_minutes
from token_refresh_worker.core.schedule import claim_time_to_live
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.providers.format_schema import AUDIENCE
from token_refresh_worker.providers.loader import IN_ZIP
from token_refresh_worker.run.settings import Settings, read_settings

DEFAULT_SERVICE = "upwork-oauth-tokens"
MONTH_SECONDS = 30 * 24 * 3600

_PROVIDER = r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?"
_ENDPOINT = r"https://[^\s/?#@]+(/[^\s#]*)?"
_TABLE = r"[A-Za-z0-9_.-]{3,255}"
_REPLICA = rf"[a-z]{{2}}(-[a-z]+)+-\d|{KMS_KEY}"
_PRINCIPAL = r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]+\*?"
_PRINCIPAL_MUST_BE = "ARNs of roles or users, of which the last character may be *"
_ARN = r"^arn:.*:secret:(.+)-[A-Za-z0-9]{6}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleParameters(CommonParameters):
    """One worker. A field is named as its parameter; None leaves a choice to the provider's profile."""

    service: Annotated[str, part(default=DEFAULT_SERVICE)]
    """Last part of the token secret's name, or all of it without `app`."""
    token_secret: Annotated[str, secret(default=CREATE)]
    """`create`, or the name or ARN of a secret that exists."""
    client_secret: Annotated[str | None, reference_to(ReferenceScheme.SECRET)]
    """Name or ARN of the secret with the client credentials, with `#field` if they are in one.

    Default: the token secret.
    """
    published_secret: Annotated[str, secret(default=CREATE)]
    """The copy for consumers, without the refresh token: `create`, `none`, or a secret's name or ARN."""
    read_under: Annotated[tuple[str, ...], families()]
    """Prefixes of other secrets that services may read (docs/when-to-use-what.md#permissions)."""
    replica_regions: Annotated[tuple[str, ...], several(_REPLICA, "a region, or the ARN of the key to use there")]
    """Regions with a replica of the published secret (docs/move-to-another-region.md#the-old-region-is-gone)."""
    operators: Annotated[tuple[str, ...], several(_PRINCIPAL, _PRINCIPAL_MUST_BE)]
    """ARNs of the only roles and users that may use the secrets' values (docs/deploy.md#an-allow-list)."""
    consumers: Annotated[tuple[str, ...], several(_PRINCIPAL, _PRINCIPAL_MUST_BE)]
    """ARNs of further roles and users that may read the published secret. They need `operators`."""
    claim_table: Annotated[str | None, text(_TABLE, "create or the name of a table")]
    """`create`, or the name of a DynamoDB table (docs/deploy.md#claims-in-a-table)."""
    kept_tokens_key: Annotated[str | None, kept_tokens_key()]
    """The key for tokens that Secrets Manager refuses: `create`, `none`, or an ARN.

    Default: `create` where `claim_table` is `create`.
    """
    provider: Annotated[str | None, text(_PROVIDER, "the name of a profile (token-refresh providers)")]
    """Name of the provider's profile (docs/providers.md).

    Default: `upwork`; `generic` if `token_endpoint` is not Upwork's.
    """
    token_endpoint: Annotated[str | None, text(_ENDPOINT, "an https URL")]
    """URL of the token endpoint, HTTPS only. Default: the profile's."""
    token_endpoint_auth_method: Annotated[str | None, text("|".join(AuthMethod), f"one of {', '.join(AuthMethod)}")]
    """How the client authenticates. Default: the profile's."""
    encrypt_messages: Annotated[bool, switch(default=False)]
    """Encrypt topic and queues with a `kms_key` that exists (docs/deploy.md#encryption)."""
    client_key: Annotated[str | None, text(KMS_KEY, "the ARN of a key")]
    """ARN of the KMS key that signs for `private_key_jwt`."""
    client_assertion_audience: Annotated[str | None, text(AUDIENCE, "printable text without spaces or ${")]
    """The `aud` of client assertions. With `aws_iam_jwt` it must be set here or in the profile.

    Default: the profile's, else the token endpoint.
    """
    event_bus: Annotated[str | None, event_bus()]
    """Name of an EventBridge bus of this account and region (docs/events.md)."""
    token_lifetime_seconds: Annotated[int | None, optional(whole(1, low=60, high=120 * MONTH_SECONDS))]
    """How long access tokens live. Default: the profile's, else 86400 for schedule and alarms."""
    refresh_window_seconds: Annotated[int | None, optional(whole(1, low=60, high=MONTH_SECONDS))]
    """How long before expiry a token is due; at most a third of its life. Default: the profile's, else 28800."""
    replay_grace_seconds: Annotated[int | None, optional(whole(0, low=0, high=MONTH_SECONDS))]
    """How long the provider accepts a redeemed refresh token again; 0 for single use. Default: the profile's."""
    request_timeout_seconds: Annotated[int | None, optional(whole(1, low=1, high=300))]
    """Time limit of one token request. Default: 20; at single-use providers the time that the run has left."""
    timeout_seconds: Annotated[int, whole(90, low=30, high=900)]
    """Time limit of one invocation."""
    schedule_minutes: Annotated[int | None, optional(whole(1, low=1, high=720))]
    """How many minutes lie between two runs. If a value is too large, the error says what fits.

    Default: 30 for a day's tokens, 3 for an hour's, 1 for half an hour's.
    """
    flexible_minutes: Annotated[int | None, optional(whole(0, low=0, high=719))]
    """How many minutes late a run may start. Default: 10 for a day's tokens, 0 for an hour's."""
    dashboard: Annotated[bool, switch(default=False)]
    """Whether there is a dashboard."""
    schedule_enabled: Annotated[bool, switch(default=True)]
    """`false` stops the schedule. To stop refreshes for a while, pause them (docs/maintain.md#pause)."""

    def check(self) -> None:
        """Refuse times that don't fit together, and secrets of other places."""
        self.check_provider(self.settings.provider)  # read here: also what the worker itself refuses
        if self.kept_tokens_key not in {None, NONE} and self.claim_table is None:
            raise ParameterError("kept_tokens_key: needs claim_table, which is where tokens are kept")
        self.check_kept_tokens_key(self.kept_tokens_key_choice, self.timeout_seconds)
        if self.uses_role_as_client and self.assertion_audience is None:
            raise ParameterError("client_assertion_audience: needed with aws_iam_jwt; the provider says which it wants")
        for name in ("token_secret", "client_secret", "published_secret", "client_key"):
            self.check_place(name, getattr(self, name))

    @property
    def kept_tokens_key_choice(self) -> str | None:
        """Return `create` or the ARN of the key for refused tokens; None where the table keeps none."""
        if self.kept_tokens_key is None:
            return CREATE if self.claim_table == CREATE else None
        return None if self.kept_tokens_key == NONE else self.kept_tokens_key

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables that the worker reads; what is not set here has the worker's own default."""
        variables = {
            "TOKEN_SECRET_ID": self.token_secret_id,
            "CLIENT_SECRET_ID": self.client_secret,
            "PUBLISHED_SECRET_ID": self.published_secret_id,
            "CLAIM_TABLE": self.claim_table_name,
            "PROVIDER": self.provider,
            "PROVIDER_PROFILES": IN_ZIP if self.own_profiles else None,
            "TOKEN_ENDPOINT": self.token_endpoint,
            "TOKEN_ENDPOINT_AUTH_METHOD": self.token_endpoint_auth_method,
            "CLIENT_KEY_ID": self.client_key,
            "CLIENT_ASSERTION_AUDIENCE": self.client_assertion_audience,
            "EVENT_BUS": self.event_bus,
            "TOKEN_LIFETIME_SECONDS": self.token_lifetime_seconds,
            "REFRESH_WINDOW_SECONDS": self.refresh_window_seconds,
            "REPLAY_GRACE_SECONDS": self.replay_grace_seconds,
            "REQUEST_TIMEOUT_SECONDS": self.request_timeout_seconds,
            "LOG_LEVEL": self.log_level,
        }
        return {name: str(value) for name, value in variables.items() if value is not None}

    @property
    def uses_role_as_client(self) -> bool:
        """Whether the function's role is the client, with tokens of AWS STS."""
        return self.settings.provider.request.auth_method is AuthMethod.AWS_IAM_JWT

    @property
    def assertion_audience(self) -> str | None:
        """The `aud` of client assertions: as given, else by the profile."""
        return self.settings.provider.request.assertion_audience

    @property
    def settings(self) -> Settings:
        """Return what the worker makes of its variables.

        Raises:
            ParameterError: The worker would refuse them.
        """
        try:
            if self.own_profiles:  # In the zip they are among the others; here it needs their place.
                return read_settings(self.variables | {"PROVIDER_PROFILES": self.own_profiles})
            return _with_our_profiles(frozenset(self.variables.items()))
        except ConfigurationError as error:
            # What is wrong with a profile or an address names no variable.
            name = error.setting.lower().removesuffix("_id") or "provider"
            raise ParameterError(f"{name}: {str(error).removeprefix(error.setting).lstrip()}") from None

    @property
    def lifetime_seconds(self) -> int:
        """How long an access token lives: as given, else by the profile, else a day."""
        known = self.settings.provider.access_token_lifetime
        return round(known.total_seconds()) if known else 86400

    @property
    def due_window_seconds(self) -> int:
        """For how long before its expiry a token set is due."""
        window = refresh_window(self.settings.provider.refresh_window, timedelta(seconds=self.lifetime_seconds))
        return window // timedelta(seconds=1)

    @property
    def longest_safe_cache_seconds(self) -> int:
        """For how long a consumer may keep a token without a look at its expiry; 0: not at all."""
        lifetime = timedelta(seconds=self.lifetime_seconds)
        return self.settings.provider.longest_safe_cache(lifetime) // timedelta(seconds=1)

    @property
    def run_every_minutes(self) -> int:
        """The schedule: as given, else as seldom as fits, and every half hour at least."""
        if self.schedule_minutes is not None:
            return self.schedule_minutes
        return max(1, min(30, self._gap_minutes - self.start_within_minutes))

    @property
    def start_within_minutes(self) -> int:
        """How late a run may start, so that not all start at once."""
        if self.flexible_minutes is not None:
            return self.flexible_minutes
        if self.schedule_minutes is None:
            return min(10, self._gap_minutes // 4)
        return max(0, min(10, self.schedule_minutes - 1, self._gap_minutes - self.schedule_minutes))

    @property
    def _gap_minutes(self) -> int:
        """The longest time between two runs that leaves enough runs, and alarms in time, while a refresh is due."""
        grace, second = self.settings.provider.grace.duration, timedelta(seconds=1)
        window = timedelta(seconds=self.due_window_seconds)
        claim = claim_time_to_live(timedelta(seconds=self.timeout_seconds), window, grace)
        return longest_gap_minutes(self.due_window_seconds, grace // second, claim // second)

    @property
    def longest_gap_seconds(self) -> int:
        """The longest time between two scheduled runs."""
        return 60 * (self.run_every_minutes + self.start_within_minutes)

    @property
    def alarm_timing(self) -> AlarmTiming:
        """When the alarms ring that say that the token is about to expire."""
        return AlarmTiming(
            window_seconds=self.due_window_seconds,
            run_every_seconds=60 * self.run_every_minutes,
            start_within_seconds=60 * self.start_within_minutes,
        )

    @property
    def name_suffix(self) -> str | None:
        """The service, unless it is the default one, whose stacks were named without it."""
        return None if self.service == DEFAULT_SERVICE else self.service

    @property
    def token_secret_id(self) -> str:
        """Return the token secret's ID as the worker is given it: a name for a created one, else what was adopted."""
        if self.token_secret != CREATE:
            return self.token_secret
        return f"{self.app}/{self.environment}/{self.service}" if self.app else self.service

    @property
    def token_secret_name(self) -> str:
        """Return the token secret's name, also where an ARN was given."""
        return re.sub(_ARN, r"\1", self.token_secret_id)

    @property
    def client_secret_id(self) -> str | None:
        """Return the name or ARN of the secret with the client credentials, without its field."""
        return None if self.client_secret is None else split_reference(self.client_secret).name

    @property
    def published_secret_id(self) -> str | None:
        """Return the ID of the secret that is published to consumers."""
        if self.published_secret == NONE:
            return None
        if self.published_secret != CREATE:
            return self.published_secret
        return f"{self.token_secret_name}-published"

    @property
    def replicas(self) -> dict[str, str | None]:
        """Return the key of each region that has a replica; none where AWS's own key encrypts it."""
        keys = {item: item.split(":")[3] if item.startswith("arn:") else None for item in self.replica_regions}
        return {region or item: item if region else None for item, region in keys.items()}

    @property
    def claim_table_name(self) -> str | None:
        """Return the name of the table that holds the claims, if a table does."""
        return f"{self.stack_name}-claims" if self.claim_table == CREATE else self.claim_table


@functools.cache  # a template asks a thousand times, and our own profiles stay as they are
def _with_our_profiles(variables: frozenset[tuple[str, str]]) -> Settings:
    return read_settings(dict(variables))
