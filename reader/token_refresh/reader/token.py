"""An access token, as a reader gives it, and when its successor is expected: soon after the worker's next refresh."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from token_refresh.errors import TokenRefreshError
from token_refresh.secret_value import Sealed
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, refresh_window

# How long after the latest expected refresh to read. The old token is valid for much longer.
LONGEST_MARGIN_SECONDS = 30.0
# The pauses between reads that find no newer token: an eighth of the remaining lifetime, within these limits.
SHORTEST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
# Also a token whose expiry is years away is read again: the expiry may be a mistake, and a run replaces it at once.
LONGEST_KEPT_SECONDS = 86_400.0
# How many refreshes are remembered. The latest one of them counts, since schedules have jitter.
REMEMBERED_LEADS = 8


class Token(Sealed):
    """An access token; its `repr` masks it, and no serializer opens it.

    Attributes:
        value: What follows `Bearer`.
        expires_at: From then on the provider rejects it.
        version_id: The version of the secret that holds it: log this to tell tokens apart.
        created_at: When that version was stored, by the clock of the store.
        extra: What the provider sent with the grant, by its own names, such as `realmId` or `instance_url`. Its
            profile names them; there is no secret in it.
    """

    # Not a property: each request of a service reads `value`.
    __slots__ = ("created_at", "expires_at", "extra", "value", "version_id")

    def __init__(
        self,
        *,
        value: str,
        expires_at: datetime,
        version_id: str,
        created_at: datetime,
        extra: Mapping[str, str | int] | None = None,
    ) -> None:
        self.value: Final = value
        self.extra: Final[Mapping[str, str | int]] = MappingProxyType(dict(extra or {}))
        self.expires_at: Final = expires_at
        self.version_id: Final = version_id
        self.created_at: Final = created_at

    def __hash__(self) -> int:
        return hash((self.value, self.version_id))  # `extra` has no hash

    def __repr__(self) -> str:
        return f"Token(version_id={self.version_id!r}, expires_at={self.expires_at!r}, created_at={self.created_at!r})"


class CachedToken(Sealed):
    """A token, its value, and until which Unix time there is nothing to do."""

    __slots__ = ("token", "until", "value")

    def __init__(self, token: Token | None, until: float) -> None:
        self.token: Final = token
        self.until: Final = until
        self.value: Final = "" if token is None else token.value


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHealth:
    """What a reader knows about its token, for health checks and metrics; there is no secret in it.

    Attributes:
        seconds_to_expiry: How long the cached token still lives, negative once it is expired; None before the first
            read that worked.
        age_seconds: How long ago the secret was read; None before the first read that worked.
        last_error: Why the last read failed; None if it worked.
    """

    seconds_to_expiry: float | None
    age_seconds: float | None
    last_error: TokenRefreshError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshPattern:
    """How long before a token's expiry its successor was stored: the lead, in seconds, for the last few tokens."""

    leads: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LEADS))

    def learn(self, previous: Token, current: Token) -> None:
        """Remember when `current` was stored, unless it can't be the direct successor of `previous`."""
        lead = (previous.expires_at - current.created_at).total_seconds()
        if current.version_id != previous.version_id and 0 < lead < _lifetime(previous).total_seconds():
            self.leads.append(lead)

    def next_read_at(self, token: Token, *, now: float, chance: float) -> float:
        """Say at which Unix time to read the secret again, having read `token` at `now`.

        `chance` (0 to 1) spreads the readers that have the same token.
        """
        expires_at = token.expires_at.timestamp()
        lead = min(self.leads, default=refresh_window(DEFAULT_WINDOW, _lifetime(token)).total_seconds())
        margin = min(LONGEST_MARGIN_SECONDS, lead / 4) * (0.5 + chance)
        expected_at = expires_at - lead + margin
        if expected_at > now:
            return min(expected_at, now + LONGEST_KEPT_SECONDS)
        pause = min(max((expires_at - now) / 8, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        return now + pause * (0.75 + chance / 2)


def _lifetime(token: Token) -> timedelta:
    return token.expires_at - token.created_at
