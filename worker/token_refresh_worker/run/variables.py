"""The environment variables of the function; docs/configuration.md has them as a table."""

from enum import StrEnum, auto


class Variable(StrEnum):
    """A variable that the function reads at each invocation. A default that is not literal is named in its words."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    TOKEN_SECRET_ID = auto()
    """Name or ARN of the token secret. Default: `upwork-oauth-tokens`."""
    CLIENT_SECRET_ID = auto()
    """Secret with the client credentials; may contain `{provider}`, and end in `#field` if an object in it has them.

    Without it they are read from the token secret.
    """
    PUBLISHED_SECRET_ID = auto()
    """Second secret for consumers, without the refresh token; never the token secret itself."""
    PROVIDER = auto()
    """Name of a provider's profile (docs/providers.md). Default: `upwork`; `generic` if `TOKEN_ENDPOINT` differs."""
    TOKEN_ENDPOINT = auto()
    """HTTPS; http for loopback hosts. Default: the profile's."""
    TOKEN_ENDPOINT_AUTH_METHOD = auto()
    """How the client authenticates; docs/providers.md has the methods. Default: the profile's."""
    CLIENT_KEY_ID = auto()
    """ARN or alias of the KMS key that signs `private_key_jwt` assertions."""
    CLIENT_ASSERTION_AUDIENCE = auto()
    """The `aud` of client assertions. Default: the profile's, else the token endpoint."""
    REFRESH_WINDOW_SECONDS = auto()
    """How long before expiry a token set is due; at most a third of its life. Default: the profile's, else 28800."""
    REPLAY_GRACE_SECONDS = auto()
    """How long the provider accepts a refresh token after it was redeemed; 0 for single use. Default: the profile's."""
    REQUEST_TIMEOUT_SECONDS = auto()
    """One token request, end to end. Default: 20; at single-use providers all the time that the run has left."""
    RUN_PERIOD_SECONDS = auto()
    """Longest time between two scheduled runs, set by the stack; with it `status` says that a refresh is late.

    Default: a third of the time in which a refresh is due, at most 2400.
    """
    CLAIM_TABLE = auto()
    """DynamoDB table that holds claims; without it claims are versions of the secret."""
    KEPT_TOKENS_KEY_ID = auto()
    """ARN of the KMS key for received tokens that Secrets Manager refuses; only with `CLAIM_TABLE`."""
    FLEET_NAME = auto()
    """Set by the stack of a fleet (docs/fleet.md)."""
    FLEET_QUEUE_URL = auto()
    """Likewise."""
    EVENT_BUS = auto()
    """EventBridge bus for events about a grant (docs/events.md)."""
    LOG_LEVEL = auto()
    """Each run's last line, which is also its metric, is written at every level. Default: `INFO`."""
    UPWORK_CLIENT_ID = auto()
    """The client ID, where neither secret has it."""
    UPWORK_CLIENT_SECRET = auto()
    """Likewise the client secret. Who may call `lambda:GetFunctionConfiguration` can read it: keep it in a secret."""
