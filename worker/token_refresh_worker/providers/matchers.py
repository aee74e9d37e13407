"""Read the matchers of a profile. One that can never match is refused: it would silently change nothing."""

import re
from functools import partial
from itertools import combinations
from typing import Final

from token_refresh_worker.oauth.formats import Encoding, Matcher
from token_refresh_worker.providers.table import TomlTable

FIELD: Final = r"[A-Za-z0-9_.:-]+"

_KINDS: Final = ("unknown", "busy", "client", "dead")  # in the order in which `read_response` asks them
_PATH: Final = r"[A-Za-z0-9_:-]+(\.[A-Za-z0-9_:-]+)*"
_WITHOUT_BODY: Final = frozenset({204, 205, 304})  # RFC 9110 section 15


def read_matchers(response: TomlTable, encoding: Encoding) -> tuple[tuple[Matcher, ...], ...]:
    """Read the matchers of each kind: unknown, busy, client, dead.

    Raises:
        ConfigurationError: One is wrong, or can never match.
    """
    by_kind = {kind: response.tables(kind, partial(_matcher, encoding)) for kind in _KINDS}
    read = [(f"{kind}[{n}]", matcher) for kind, found in by_kind.items() for n, matcher in enumerate(found)]
    for (first, wider), (later, narrower) in combinations(read, 2):
        if wider.status in {None, narrower.status} and _typed(wider) <= _typed(narrower):
            raise response.error(later, f"absent or different: {first} matches first")
    return tuple(by_kind.values())


def _matcher(encoding: Encoding, table: TomlTable) -> Matcher:
    status = table.integer("status", None, low=200, high=599)
    must_be = "a table of paths, each with a string, whole number or boolean"
    # Without fields any body matches: at 200 also one with tokens.
    alone = status is not None and status >= 300 and "fields" not in table.keys  # noqa: PLR2004 - RFC 9110 section 15
    fields = {} if alone else table.value("fields", _exact_values, must_be)
    if status in _WITHOUT_BODY:
        raise table.error("status", f"another one, because {status} has no body")
    if inner := next((path for path in fields for other in fields if path.startswith(f"{other}.")), None):
        raise table.error(
            "fields", f"paths that don't contradict: {inner} needs an object, where another path has a value"
        )
    if encoding is Encoding.FORM and any("." in path or not isinstance(v, str) for path, v in fields.items()):
        raise table.error("fields", "names without a dot and strings, because the response is a form")
    return Matcher(status=status, fields=fields)


def _typed(matcher: Matcher) -> set[tuple[str, type, object]]:
    return {(path, type(value), value) for path, value in matcher.fields.items()}  # true is not 1 in a response


def _exact_values(value: object) -> dict[str, str | int | bool]:
    if not isinstance(value, dict) or not value:
        raise ValueError
    if not all(re.fullmatch(_PATH, key) and isinstance(v, str | int) for key, v in value.items()):
        raise ValueError
    return dict(value)
