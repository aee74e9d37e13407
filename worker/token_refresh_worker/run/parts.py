"""What a run acts with, and its limits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.ports import ClaimStore, Clock, Log, SecretStore, TokenEndpoint
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument

REQUEST_TIMEOUT_SECONDS: Final = 20.0
"""How long one token request may take at a provider with a grace period, unless it is configured."""

PreviousCredentials = Callable[[ClientCredentials], ClientCredentials | None]
"""Finds the client credentials from before a rotation; None where there are no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a run acts with."""

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
    clock: Clock
    log: Log
    previous_credentials: PreviousCredentials = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far one run goes."""

    steps: int = 50
    """More steps than any history of the secret needs; a forced run that polls is bounded by its deadline."""
    requests: int = 4
    """Token requests."""
    request_timeout_seconds: float | None = None
    """One token request, end to end; None: the default, or at a single-use provider all the time that is left."""
    # Shorter, a request would often be given up after the provider redeemed the token.
    least_request_seconds: float = 5.0
    """No token request begins with less."""
    store_reserve_seconds: float = 10.0
    """Kept back from every token request, so that new tokens can be stored."""
    poll_seconds: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    """How long a forced run waits between looks at another run's claim; the last one repeats."""

    @property
    def needed_seconds(self) -> float:
        """How much time must be left when a token request begins."""
        return self.least_request_seconds + self.store_reserve_seconds
