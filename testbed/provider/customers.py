"""A token endpoint with many customers: one grant each, all redeemed at one URL; it can stop responding.

with Customers(reuse="revokes") as provider:
first, second = provider.authorize(), provider.authorize()
provider.hang()          # every request is read and gets no response
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from testbed.provider import script
from testbed.provider.grant import IssuedTokens, Reuse
from testbed.provider.script import Script
from testbed.provider.token_endpoint import TokenEndpoint


class _Grants(IssuedTokens):
    """The grants of all customers, found by the refresh token that is sent."""

    def __init__(self, reuse: Reuse, access_token_seconds: int) -> None:
        super().__init__(reuse=reuse, access_token_seconds=access_token_seconds)
        self._by_token: dict[str, IssuedTokens] = {}

    def authorize(self) -> dict[str, Any]:
        """Let one more customer authorize."""
        grant = IssuedTokens(reuse=self.reuse, access_token_seconds=self.access_token_seconds)
        response = grant.authorize()
        self._by_token[response["refresh_token"]] = grant
        return response

    def redeem(self, refresh_token: str) -> dict[str, Any] | None:
        """Redeem at the grant that the token belongs to."""
        grant = self._by_token.get(refresh_token)
        response = grant.redeem(refresh_token) if grant else None
        if grant and response:
            self._by_token[response.get("refresh_token", refresh_token)] = grant
            with self._lock:
                self.redemptions += 1
        return response

    def accepts(self, refresh_token: str) -> bool:
        """Tell whether the token's grant would accept it."""
        grant = self._by_token.get(refresh_token)
        return grant is not None and grant.accepts(refresh_token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every token ever issued."""
        grants = {id(grant): grant for grant in self._by_token.values()}
        return tuple(token for grant in grants.values() for token in grant.secrets)


class Customers(TokenEndpoint):
    """A provider whose customers have each authorized once."""

    def __init__(self, *, reuse: Reuse = "revokes", access_token_seconds: int = 86_400) -> None:
        super().__init__(reuse=reuse)
        self.grant = _Grants(reuse, access_token_seconds)
        self._hangs = False

    def authorize(self) -> dict[str, Any]:
        """Let one more customer authorize, and return the first token response."""
        return self.grant.authorize()

    def hang(self) -> None:
        """Read each request from now on, and send nothing."""
        self._hangs = True

    @contextlib.contextmanager
    def connection(self) -> Iterator[Script]:
        """Let a connection hang while the provider does."""
        with super().connection() as to_play:
            yield script.hang() if self._hangs else to_play
