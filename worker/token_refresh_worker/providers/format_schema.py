"""The part of a profile's schema that is about a token request and its response.

A matcher that can never match is refused: it would silently change nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import partial
from itertools import combinations
from typing import Final

from token_refresh.stored.access_token import EXTRA_NAME
from token_refresh_worker.oauth import formats
from token_refresh_worker.providers.table import TomlTable

# `${` begins a variable in a policy of IAM, which names the audience of `aws_iam_jwt`.
AUDIENCE: Final = r"(?!.*\$\{)[!-~]{1,1000}"

# RFC 6749 sections 2.3.1, 4.4.2 and 6; the access token is what Meta exchanges.
_RENAMED: Final = ("grant_type", "refresh_token", "access_token", "client_id", "client_secret")
_READ: Final = (
    *("access_token", "refresh_token", "expires_in", "refresh_token_expires_in"),
    "refresh_token_hard_expires_in",
)
_ASSERTION: Final = ("client_assertion", "client_assertion_type")
_CODE: Final = ("code", "code_verifier", "redirect_uri")  # a request of `token-refresh authorize`
TAKEN: Final = frozenset({*_RENAMED, *_ASSERTION, *_CODE})
"""The fields that the exchange of a code has anyway."""

# None that routes or frames the request, carries credentials, or asks for a body that is not read.
_HEADER: Final = "(?!(?i:host|authorization|cookie|accept-encoding|transfer-encoding|content-.*)$)[A-Za-z0-9-]+"
# No space at either end: that is not part of a value (RFC 9110 section 5.5), and httpcore refuses to send it.
_HEADER_VALUE: Final = "|[!-~]([ -~]*[!-~])?"
# None that the token document has itself, in any spelling: a response must not overwrite it.
_EXTRA: Final = rf"(?=.{{1,100}}\Z){EXTRA_NAME.pattern}(\.[A-Za-z0-9_]+)*"


def request_format(table: TomlTable) -> formats.RequestFormat:
    """Read what a request looks like."""
    request = formats.RequestFormat(
        auth_method=table.choice("auth", formats.AuthMethod, formats.AuthMethod.POST),
        grant=table.choice("grant", formats.Grant, formats.Grant.REFRESH_TOKEN),
        grant_type=table.text("grant_type", None, pattern=r"[\w:.-]+"),
        method=table.text("method", "POST", pattern="POST|GET"),
        encoding=table.choice("encoding", formats.Encoding, formats.Encoding.FORM),
        names=table.texts_by_key("names", keys="|".join(_RENAMED), values=f"{FIELD}|"),
        params=table.texts_by_key("params", keys=FIELD),
        headers=table.texts_by_key("headers", keys=_HEADER, values=_HEADER_VALUE),
        assertion_algorithm=table.text("assertion_algorithm", "RS256", pattern="RS256|PS256|ES256|ES384"),
        assertion_audience=table.text("assertion_audience", None, pattern=AUDIENCE),
        assertion_headers=table.texts_by_key("assertion_headers", keys="kid|x5t|x5t#S256"),
    )
    if request.method == "GET" and request.encoding is not formats.Encoding.QUERY:
        raise table.error("encoding", "query, because the method is GET")
    if request.grant is formats.Grant.EXCHANGE and not request.grant_type:
        raise table.error("grant_type", "the provider's own name for an exchange, such as ig_refresh_token")
    _check_sent(table, request)
    return request


def _check_sent(table: TomlTable, request: formats.RequestFormat) -> None:
    """Refuse names that make one field of a request replace another: the refresh token would not be sent."""
    if twice := _first_twice(name.lower() for name in request.headers):
        raise table.error("headers", f"headers that differ in more than case; {twice} is there twice")
    for name in ("refresh_token", "access_token", "client_secret"):
        if request.names.get(name) == "":
            raise table.error(
                "names", f'without {name} = "", because a request needs it (auth = "none" sends no secret)'
            )
    sent = [request.names.get(name, name) for name in (*_RENAMED, *_ASSERTION, *_CODE)]
    if twice := _first_twice(name for name in sent if name):
        raise table.error("names", f"a name of its own for each field; {twice} would stand for two")
    # The code's fields are free here: GitLab documents `redirect_uri` in a refresh.
    if taken := sorted(({*_RENAMED, *_ASSERTION, *sent} - {*_CODE}) & set(request.params)):
        raise table.error("params", f"further fields only; a request has {taken[0]} anyway (names renames it)")


def _first_twice(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def response_format(table: TomlTable) -> formats.ResponseFormat:
    """Read what a response looks like."""
    encoding = table.choice("encoding", formats.Encoding, formats.Encoding.JSON)
    unknown, busy, client, dead = read_matchers(table, encoding)
    response = formats.ResponseFormat(
        encoding=encoding,
        envelope=table.texts("envelope", pattern=FIELD),
        names=table.texts_by_key("names", keys="|".join(_READ), values=FIELD),
        expiry=table.choice("expiry", formats.Expiry, formats.Expiry.EXPIRES_IN),
        unknown=unknown,
        busy=busy,
        client=client,
        dead=dead,
        keep=table.texts("keep", pattern=_EXTRA),
    )
    _check_read(table, response)
    return response


def _check_read(table: TomlTable, response: formats.ResponseFormat) -> None:
    if response.encoding is formats.Encoding.QUERY:
        raise table.error("encoding", "form or json")
    if response.encoding is formats.Encoding.FORM and response.envelope:
        raise table.error("envelope", "absent, because a form has no objects")
    read = [response.names.get(name, name) for name in _READ]
    if twice := _first_twice(read):
        raise table.error("names", f"a name of its own for each field; {twice} would be read as two")
    if read_twice := sorted(set(read) & set(response.extra)):
        raise table.error("keep", f"without {read_twice[0]}, which the token secret has under its own name")
    if twice := _first_twice(path.replace(".", "_") for path in response.keep):
        raise table.error("keep", f"a name of its own for each field; two would be stored as {twice}")


FIELD: Final = r"[A-Za-z0-9_.:-]+"

_KINDS: Final = ("unknown", "busy", "client", "dead")  # in the order in which `read_response` asks them
_PATH: Final = r"[A-Za-z0-9_:-]+(\.[A-Za-z0-9_:-]+)*"
_WITHOUT_BODY: Final = frozenset({204, 205, 304})  # RFC 9110 section 15


def read_matchers(response: TomlTable, encoding: formats.Encoding) -> tuple[tuple[formats.Matcher, ...], ...]:
    """Read the matchers of each kind: unknown, busy, client, dead."""
    by_kind = {kind: response.tables(kind, partial(_matcher, encoding)) for kind in _KINDS}
    read = [(f"{kind}[{n}]", matcher) for kind, found in by_kind.items() for n, matcher in enumerate(found)]
    for (first, wider), (later, narrower) in combinations(read, 2):
        if wider.status in {None, narrower.status} and _typed(wider) <= _typed(narrower):
            raise response.error(later, f"absent or different: {first} matches first")
    return tuple(by_kind.values())


def _matcher(encoding: formats.Encoding, table: TomlTable) -> formats.Matcher:
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
    if encoding is formats.Encoding.FORM and any("." in path or not isinstance(v, str) for path, v in fields.items()):
        raise table.error("fields", "names without a dot and strings, because the response is a form")
    return formats.Matcher(status=status, fields=fields)


def _typed(matcher: formats.Matcher) -> set[tuple[str, type, object]]:
    return {(path, type(value), value) for path, value in matcher.fields.items()}  # true is not 1 in a response


def _exact_values(value: object) -> dict[str, str | int | bool]:
    if not isinstance(value, dict) or not value:
        raise ValueError
    if not all(re.fullmatch(_PATH, key) and isinstance(v, str | int) for key, v in value.items()):
        raise ValueError
    return dict(value)
