"""Scopes as responses name them, and what a refresh took from a grant (RFC 6749 sections 3.3, 5.1 and 6)."""

from collections.abc import Iterable
from typing import Final

_MOST_SCOPES: Final = 100
"""So many fit into a token document; whoever has more is not watched."""
_LONGEST_SCOPE: Final = 128
_OFFLINE: Final = "offline_access"
"""It asks for a refresh token, and is good for no request; many responses leave it out."""


def read_scopes(value: object) -> tuple[str, ...] | None:
    """Read scopes, sorted; None where they are omitted, or are none: then they are unchanged (RFC 6749 section 6)."""
    # RFC 6749 has spaces; GitHub, Slack and Strava have commas, and Twitch a list.
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, list) or not 0 < len(names) <= _MOST_SCOPES or not all(map(_is_scope, names)):
        return None
    return tuple(sorted(set(names)))


def lost_scopes(before: Iterable[str] | None, now: Iterable[str] | None) -> tuple[str, ...]:
    """Return the scopes that a refresh took; none where nobody knows those before or those now."""
    if before is None or now is None:
        return ()
    return tuple(sorted(set(before) - set(now) - {_OFFLINE}))


def _is_scope(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_SCOPE
