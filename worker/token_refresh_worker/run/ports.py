"""What a run needs of the world, and what it acts with.

The adapters implement the protocols; tests have fakes that pass the same contract.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from token_refresh.errors import SecretAccessDenied
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.announcement import Announcement
from token_refresh_worker.core.claims import Claim, KeptTokens, Record
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SecretVersion:
    """One version of a secret, as `GetSecretValue` gives it."""

    arn: str
    """The secret's."""
    version_id: str
    labels: frozenset[str]
    created_at: datetime
    read_at: datetime
    """The service's clock when it responded."""
    value: SecretValue | None
    """None if the value is binary."""


class SecretStore(Protocol):
    """One secret. Every method raises `SecretStoreError` if the store refuses or can't be reached."""

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        """Read the version with this label or version ID; None if there is none (`GetSecretValue`).

        Raises:
            SecretAccessDenied: It is there, and KMS refuses its key: then `by_key` is set.
        """

    def versions(self) -> tuple[VersionEntry, ...]:
        """List all versions, those without labels too (`ListSecretVersionIds`)."""

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        """Append a version; False if its ID is taken by another value (`PutSecretValue`).

        A repeat with the same ID and value changes nothing and is True: after a lost response, repeat the call.
        """

    def move_label(self, label: str, *, to: str | None, remove_from: str | None) -> bool:
        """Compare and swap a label; False if it is not where it was expected (`UpdateSecretVersionStage`)."""


class IgnoreKmsRefusals:
    """Leaves out of a read what KMS refuses to decrypt; everything else that fails is raised."""

    def __enter__(self) -> None:
        """Begin a read."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        """Say whether it was refused."""
        return isinstance(error, SecretAccessDenied) and error.by_key


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewestClaim:
    """The newest claim that a store knows, and what came with it."""

    claim: Claim | None
    read_at: datetime | None = None
    """The service's clock, if it responded with one."""
    kept_tokens: KeptTokens | None = None
    """What a table keeps beside the claim."""
    locked: SecretAccessDenied | None = None
    """Why it can't be decrypted, where it is a version whose key KMS refuses."""


class ClaimStore(Protocol):
    """The claims on one token secret.

    Every method raises `SecretStoreError` if the store refuses or can't be reached, and `ConfigurationError` if it does
    not exist. After a lost response the adapter repeats a write; the claim's nonce tells its own.
    """

    def newest(self) -> NewestClaim:
        """Read the newest claim; it may be stale where claims are versions of the secret.

        Call it after the current version was read: a table's key is the ARN that was found then.
        """

    def find(self, claim_id: str) -> Claim | None:
        """Read the claim that has this ID, or a newer one; None if there is none, or none yet.

        Raises:
            SecretAccessDenied: It is there, and KMS refuses its key: then `by_key` is set.
        """

    def record_of(self, claim_id: str) -> Record | None:
        """Return how an attempt ended; None if nothing is recorded. One that can't be read counts as none.

        A table knows the record of the newest claim alone, from when it was read; the ledger has the others.
        """

    def append(self, claim: Claim, *, after: str | None, kept_tokens: KeptTokens | None = None) -> bool:
        """Append a claim to the claim `after`; False if another claim follows it already.

        A table then forgets what it keeps, so it also refuses where that is not exactly `kept_tokens`.
        """

    def store_record(self, claim: Claim, record: Record) -> None:
        """Store how the attempt under `claim` ended; the first record stays."""


class TokenKeeper(Protocol):
    """Keeps received tokens in the claim table, encrypted. Every method raises a `TokenRefreshError` where it fails."""

    def keep(self, claim: Claim, tokens: SecretValue) -> KeptTokens | None:
        """Keep the document that was received under `claim`; None if the table has another claim by now."""

    def open(self, kept: KeptTokens) -> SecretValue:
        """Decrypt the document."""

    def drop(self, kept: KeptTokens) -> None:
        """Forget it, unless something else is kept by now."""


class TokenEndpoint(Protocol):
    """The provider's token endpoint (RFC 6749 section 3.2)."""

    def sign(self, request: TokenRequest) -> FailedRequest | None:
        """Make what signs the next request, where its method needs that; return why it can't be made. Sends nothing."""

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        """Send one request and read the response, end to end within the time limit; never raises for what it meets."""


class Clock(Protocol):
    """A stopwatch; what time it is, only the services' clocks say."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment, time in which the machine was suspended included."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Log(Protocol):
    """Structured events."""

    def info(self, event: str, **fields: object) -> object:
        """Log what was done."""

    def warning(self, event: str, **fields: object) -> object:
        """Log what someone should look at."""


SendEvent = Callable[[Announcement], None]
"""Sends one event about a grant; raises a `TokenRefreshError` if the bus does not take it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Deadline:
    """When a run must have ended."""

    clock: Clock
    at: float
    """On the clock's stopwatch, in seconds."""

    @property
    def remaining_seconds(self) -> float:
        """How much time is left; negative after the deadline."""
        return self.at - self.clock.monotonic()


REQUEST_TIMEOUT_SECONDS: Final = 20.0
"""How long one token request may take at a provider with a grace period, unless it is configured."""
STORE_RESERVE_SECONDS: Final = 10.0
"""Kept back from every token request, so that new tokens can be stored."""
KEEP_RESERVE_SECONDS: Final = 20.0
"""The same, where the claim table can keep them: up to 16 pieces are encrypted after Secrets Manager refused them."""
# Shorter, a request would often be given up after the provider redeemed the token.
LEAST_REQUEST_SECONDS: Final = 5.0
"""How much time a token request must have."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunDependencies:
    """What a run acts with."""

    secret: SecretName
    trigger: Trigger
    policy: Policy
    deadline: Deadline
    store: SecretStore
    claims: ClaimStore
    published: SecretStore | None
    """The secret that consumers read, if one is configured."""
    endpoint: Callable[[Provider], TokenEndpoint]
    """Made before a claim is stored: a wrong proxy variable is an error then."""
    credentials: Callable[[TokenDocument], ClientCredentials]
    """Read again for each redemption."""
    provider: Provider
    """As configured; `Provider.for_document` applies what a document says."""
    nonce: Callable[[], str]
    log: Log
    previous_credentials: Callable[[ClientCredentials], ClientCredentials | None] = lambda _: None
    """Finds the client credentials from before a rotation; None where there are no others."""
    run_period: timedelta | None = None
    """The longest time between two runs of the schedule; None if nobody knows."""
    request_timeout_seconds: float | None = None
    """None: the default, or at a single-use provider all the time that is left."""
    keeper: TokenKeeper | None = None
    """Keeps received tokens that Secrets Manager refuses; None without a claim table or a key for it."""

    def policy_for(self, document: TokenDocument) -> Policy:
        """Return the policy with the host that a document's variables give."""
        filled = self.provider.for_document(document.fields)
        return replace(self.policy, host=filled.host) if self.provider.variables else self.policy

    @property
    def reserve_seconds(self) -> float:
        """How much time is kept back from every token request."""
        return STORE_RESERVE_SECONDS if self.keeper is None else KEEP_RESERVE_SECONDS

    @property
    def needed_seconds(self) -> float:
        """How much time must be left when a token request begins."""
        return LEAST_REQUEST_SECONDS + self.reserve_seconds
