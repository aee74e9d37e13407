"""One OAuth grant and how its provider treats refresh tokens: what the scriptable token endpoint redeems against."""

import secrets
import threading
from dataclasses import dataclass, field
from typing import Any, Literal

Reuse = Literal["revokes", "grace", "static"]
"""What a refresh token that was redeemed is good for.

`revokes`: single use; a second redemption revokes the whole grant (RFC 9700 section 4.14.2).
`grace`: it stays good, as at Upwork for 24 h; each redemption issues a new pair.
`static`: it never changes, and a response doesn't repeat it, as at Google.
"""


@dataclass(slots=True)
class IssuedTokens:
    """The tokens that were issued under one authorization; atomic under threads."""

    reuse: Reuse = "revokes"
    access_token_seconds: int = 86400
    redemptions: int = 0
    """Token sets issued in exchange for a refresh token."""
    alive: bool = True
    """False once reuse or `revoke` ended the grant."""
    # A failed assertion prints what it compared: not these.
    _current: str = field(default="", repr=False)
    _used: set[str] = field(default_factory=set, repr=False)
    _issued: list[str] = field(default_factory=list, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def authorize(self) -> dict[str, Any]:
        """Begin anew, as when a person authorizes, and return the first token response."""
        with self._lock:
            self.alive = True
            self._used.clear()
            self._current = self._new_token("refresh")
            return self._response()

    def redeem(self, refresh_token: str) -> dict[str, Any] | None:
        """Return the token response for `refresh_token`, or None where the response is `invalid_grant`."""
        with self._lock:
            if refresh_token in self._used and self.reuse == "revokes":
                self.alive = False
            if not self.accepts(refresh_token):
                return None
            self.redemptions += 1
            if self.reuse == "static":
                response = self._response()
                del response["refresh_token"]
                return response
            self._used.add(refresh_token)
            self._current = self._new_token("refresh")
            return self._response()

    def accepts(self, refresh_token: str) -> bool:
        """Tell whether `refresh_token` could be redeemed now, without doing so."""
        with self._lock:
            graced = self.reuse == "grace" and refresh_token in self._used
            return self.alive and (refresh_token == self._current or graced)

    def revoke(self) -> None:
        """End the grant, as its owner can at the provider."""
        with self._lock:
            self.alive = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every token ever issued: what must appear nowhere."""
        with self._lock:
            return tuple(self._issued)

    def _response(self) -> dict[str, Any]:
        return {
            "access_token": self._new_token("access"),
            "refresh_token": self._current,
            "token_type": "Bearer",
            "expires_in": self.access_token_seconds,
        }

    def _new_token(self, kind: str) -> str:
        token = f"{kind}-{secrets.token_urlsafe(24)}"
        self._issued.append(token)
        return token
