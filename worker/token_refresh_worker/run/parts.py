"""What a run acts with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.ports import ClaimStore, Clock, Log, SecretStore, TokenEndpoint
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument

REQUEST_TIMEOUT_SECONDS: Final = 20.0
"""How long one token request may take at a provider with a grace period, unless it is configured."""
STORE_RESERVE_SECONDS: Final = 10.0
"""Kept back from every token request, so that new tokens can be stored."""
# Shorter, a request would often be given up after the provider redeemed the token.
NEEDED_SECONDS: Final = 5.0 + STORE_RESERVE_SECONDS
"""How much time must be left when a token request begins."""

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
