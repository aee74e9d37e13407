"""What a run acts with."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from token_refresh.records import record
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.events import REQUESTS
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.ports import ClaimStore, Deadline, Log, SecretStore, TokenEndpoint, TokenKeeper
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument

REQUEST_TIMEOUT_SECONDS: Final = 20.0
"""How long one token request may take at a provider with a grace period, unless it is configured."""
STORE_RESERVE_SECONDS: Final = 10.0
"""Kept back from every token request, so that new tokens can be stored."""
KEEP_RESERVE_SECONDS: Final = 20.0
"""The same, where the claim table can keep them: up to 16 pieces are encrypted after Secrets Manager refused them."""
# Shorter, a request would often be given up after the provider redeemed the token.
LEAST_REQUEST_SECONDS: Final = 5.0
"""How much time a token request must have."""


@record
class Parts:
    """What a run acts with."""

    secret: SecretName
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
    most_requests: int = REQUESTS
    """How many requests a run sends at most, once a response was lost."""
    most_refused: int = REQUESTS
    """The same before that; a host that says that it is busy gets one more."""
    time_of_day: Callable[[], datetime] | None = None
    """This machine's clock, by which Lambda counts the time left: it explains a deadline, and decides nothing."""
    keeper: TokenKeeper | None = None
    """Keeps received tokens that Secrets Manager refuses; None without a claim table or a key for it."""

    @property
    def reserve_seconds(self) -> float:
        """How much time is kept back from every token request."""
        return STORE_RESERVE_SECONDS if self.keeper is None else KEEP_RESERVE_SECONDS

    @property
    def needed_seconds(self) -> float:
        """How much time must be left when a token request begins."""
        return LEAST_REQUEST_SECONDS + self.reserve_seconds
