"""What a run needs of the world. The adapters implement it; tests have fakes that pass the same contract."""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from token_refresh.errors import SecretAccessDenied
from token_refresh.records import record
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.claims import Claim, KeptTokens, Record
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest

if TYPE_CHECKING:
    from token_refresh_worker.core.announcement import Announcement
    from token_refresh_worker.oauth.request import TokenRequest


@record
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
        ...

    def versions(self) -> tuple[VersionEntry, ...]:
        """List all versions, those without labels too (`ListSecretVersionIds`)."""
        ...

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        """Append a version; False if its ID is taken by another value (`PutSecretValue`).

        A repeat with the same ID and value changes nothing and is True: after a lost response, repeat the call.
        """
        ...

    def move_label(self, label: str, *, to: str | None, remove_from: str | None) -> bool:
        """Compare and swap a label; False if it is not where it was expected (`UpdateSecretVersionStage`)."""
        ...


@record
class NewestClaim:
    """The newest claim that a store knows, and what came with it."""

    claim: Claim | None
    read_at: datetime | None = None
    """The service's clock, if it responded with one."""
    kept: KeptTokens | None = None
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
        ...

    def find(self, claim_id: str) -> Claim | None:
        """Read the claim that has this ID, or a newer one; None if there is none, or none yet.

        Raises:
            SecretAccessDenied: It is there, and KMS refuses its key: then `by_key` is set.
        """
        ...

    def record_of(self, claim_id: str) -> Record | None:
        """Give how an attempt ended; None if nothing is recorded. One that can't be read counts as none.

        A table knows the record of the newest claim alone, from when it was read; the ledger has the others.
        """
        ...

    def append(self, claim: Claim, *, after: str | None, kept: KeptTokens | None = None) -> bool:
        """Append a claim to the claim `after`; False if another claim follows it already.

        A table then forgets what it keeps, so it also refuses where that is not exactly `kept`.
        """
        ...

    def record(self, claim: Claim, record: Record) -> None:
        """Store how the attempt under `claim` ended; the first record stays."""
        ...


class TokenKeeper(Protocol):
    """Keeps received tokens in the claim table, encrypted. Every method raises a `TokenRefreshError` where it fails."""

    def keep(self, claim: Claim, tokens: SecretValue) -> KeptTokens | None:
        """Keep the document that was received under `claim`; None if the table has another claim by now."""
        ...

    def open(self, kept: KeptTokens) -> SecretValue:
        """Decrypt the document."""
        ...

    def drop(self, kept: KeptTokens) -> None:
        """Forget it, unless something else is kept by now."""
        ...


class TokenEndpoint(Protocol):
    """The provider's token endpoint (RFC 6749 section 3.2)."""

    def sign(self, request: "TokenRequest") -> FailedRequest | None:
        """Make what signs the next request, where its method needs that; return why it can't be made. Sends nothing."""
        ...

    def send(self, request: "TokenRequest", *, timeout_seconds: float) -> EndpointResponse:
        """Send one request and read the response, end to end within the time limit; never raises for what it meets."""
        ...


class Clock(Protocol):
    """A stopwatch; what time it is, only the services' clocks say."""

    def monotonic(self) -> float:
        """Give seconds since an arbitrary moment, time in which the machine was suspended included."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Log(Protocol):
    """Structured events."""

    def info(self, event: str, **fields: object) -> object:
        """Log what was done."""
        ...

    def warning(self, event: str, **fields: object) -> object:
        """Log what someone should look at."""
        ...


class Bus(Protocol):
    """Where events about grants are sent."""

    def send(self, announcement: "Announcement") -> None:
        """Send one event; raises a `TokenRefreshError` if the bus does not take it."""
        ...


@record
class Deadline:
    """When a run must have ended."""

    clock: Clock
    at: float
    """On the clock's stopwatch, in seconds."""

    @property
    def remaining_seconds(self) -> float:
        """How much time is left; negative after the deadline."""
        return self.at - self.clock.monotonic()
