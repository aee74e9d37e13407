"""Scopes as responses name them, and what a refresh took from a grant (RFC 6749 sections 3.3, 5.1 and 6)."""

from collections.abc import Iterable
from typing import Final

_MOST_SCOPES: Final = 100
"""So many fit into a token document; whoever has more is not watched."""
_LONGEST_SCOPE: Final = 128
_ASKS: Final = frozenset({"offline_access", "offline", "openid"})
"""They ask for a refresh token or an ID token, and are good for no request; many responses leave them out."""


def read_scopes(value: object, *, separator: str = " ") -> tuple[str, ...] | None:
    """Read scopes, sorted; None where they are omitted or can't be scopes: they are unchanged (RFC 6749 section 6).

    An empty text or list is not omitted: it says that there are none.
    """
    # RFC 6749 has spaces; GitHub, Slack and Strava have commas, and Twitch a list.
    names = value.replace(separator, " ").replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, list) or len(names) > _MOST_SCOPES or not all(map(_is_scope, names)):
        return None
    return tuple(sorted(set(names)))


def lost_scopes(before: Iterable[str] | None, now: Iterable[str] | None) -> tuple[str, ...]:
    """Return the scopes that a refresh took; none where nobody knows those before or those now."""
    if before is None or now is None:
        return ()
    # Scopes have a case (RFC 6749 section 3.3); some providers return another one than they were asked for.
    kept = {name.casefold() for name in now} | _ASKS
    return tuple(sorted({name for name in before if name.casefold() not in kept}))


def _is_scope(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_SCOPE
