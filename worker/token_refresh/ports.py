"""What a run needs of the world. The adapters implement it; tests have fakes that pass the same contract."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from token_refresh.oauth.request import TokenRequest
from token_refresh.oauth.response import Answer
from token_refresh.secret_value import SecretValue


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """One version of a secret, as `GetSecretValue` gives it."""

    version_id: str
    labels: frozenset[str]
    created_at: datetime
    read_at: datetime
    """The service's clock when it answered."""
    value: SecretValue | None
    """None where the value is binary."""


class SecretStore(Protocol):
    """One secret. Every method raises `SecretStoreError` where the store refuses or can't be reached."""

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        """Read the version with this label or version ID; None where there is none (`GetSecretValue`)."""
        ...

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        """Append a version; False where its ID is taken by another value (`PutSecretValue`).

        A repeat with the same ID and value changes nothing and is True, so a lost reply is mended by sending it again.
        """
        ...

    def move_label(self, label: str, *, to: str | None, remove_from: str | None) -> bool:
        """Compare and swap a label; False where it is not where it was expected (`UpdateSecretVersionStage`)."""
        ...


class TokenEndpoint(Protocol):
    """The provider's token endpoint (RFC 6749 section 3.2)."""

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> Answer:
        """Send one request and read its answer, end to end within the time limit; never raises for what it meets."""
        ...


class Clock(Protocol):
    """Time as a stopwatch; what time it is, only the service's clock says."""

    def monotonic(self) -> float:
        """Give seconds since an arbitrary moment."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When a run must have ended."""

    clock: Clock
    at: float
    """On the clock's stopwatch, in seconds."""

    @property
    def remaining_seconds(self) -> float:
        """How much time is left; negative where it is over."""
        return self.at - self.clock.monotonic()
