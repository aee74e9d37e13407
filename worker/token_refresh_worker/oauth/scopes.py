"""Scopes as responses name them, and what a refresh took from a grant (RFC 6749 sections 3.3, 5.1 and 6)."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from token_refresh_worker.stored.document import TokenDocument

_MOST_SCOPES: Final = 100
"""This many fit into a token document. Of a grant with more, no scopes are compared."""
_LONGEST_SCOPE: Final = 128
_NAME: Final = re.compile(r"(?:https://)?[A-Za-z]{1,24}(?:[_.:/-][A-Za-z]{1,24}){0,7}[0-9]?")
_LONGEST_NAME: Final = 80
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


def scopes_of(document: TokenDocument) -> tuple[str, ...] | None:
    """Return the scopes of a token set: as the last response that named them did, or else as a person stored them."""
    known = document.origin.scopes if document.origin else None
    return read_scopes(document.fields.get("scope")) if known is None else known


def lost_scopes(before: Iterable[str] | None, now: Iterable[str] | None) -> tuple[str, ...]:
    """Return the scopes that a refresh took; none where nobody knows those before or those now."""
    if before is None or now is None:
        return ()
    # Scopes have a case (RFC 6749 section 3.3); some providers return another one than they were asked for.
    present = {name.casefold() for name in now} | _ASKS
    return tuple(sorted({name for name in before if name.casefold() not in present}))


def name_scopes(scopes: Sequence[str], known: Sequence[str] = ()) -> str:
    """Name scopes for a person; a response may hold anything in their place, and nobody writes a token so."""
    shown = [name for name in scopes if name in known or (len(name) <= _LONGEST_NAME and _NAME.fullmatch(name))]
    more = len(scopes) - len(shown)
    return ", ".join([*shown, *([f"{more} whose names are not shown"] if more else ())])


def _is_scope(name: object) -> bool:
    return isinstance(name, str) and name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_SCOPE
