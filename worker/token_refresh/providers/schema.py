"""The schema of a profile: which keys there are, and what each must be."""

import re
from datetime import timedelta
from functools import partial
from typing import Final

from token_refresh.oauth.formats import AuthMethod, Encoding, Expiry, Grant, Matcher, RequestFormat, ResponseFormat
from token_refresh.providers.provider import (
    Authorization,
    Basis,
    Evidence,
    Grace,
    GraceEnd,
    Provider,
    RateLimit,
    RefreshTokenLife,
    Rotation,
)
from token_refresh.providers.table import Table
from token_refresh.providers.variables import Variable, host_is_fixed, places
from token_refresh.stored.origin import LONGEST_GRACE

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")

DEFAULT_WINDOW: Final = timedelta(hours=8)

_FIELD: Final = r"[A-Za-z0-9_.:-]+"
_REQUEST_FIELDS: Final = "grant_type|refresh_token|access_token|client_id|client_secret"
_RESPONSE_FIELDS: Final = "access_token|refresh_token|expires_in|refresh_token_expires_in"
_ANYWHERE: Final = r"https://[\w{}./:?&=%~+,-]+"
_HERE: Final = r"http://(127\.0\.0\.1|localhost)(:\d+)?/[\w{}./:?&=%~+,-]*"  # the machine itself, as for TOKEN_ENDPOINT
_HEADER: Final = "(?!(?i:host|authorization|cookie|accept-encoding|transfer-encoding|content-.*)$)[A-Za-z0-9-]+"
_KEPT: Final = "(?!(?i:.*(?:token|secret|expires|issued|provider|client).*))[A-Za-z0-9_]+"
_SCOPES: Final = "ip|client|grant"


def read_provider(name: str, table: Table) -> Provider:
    """Read all of a profile.

    Raises:
        ConfigurationError: A key is missing, unknown or wrong.
    """
    variables = _variables(table.table("variables"))
    access_token = table.table("access_token")
    provider = Provider(
        name=name,
        title=table.text("title"),
        token_endpoint=_endpoint(table, "token_endpoint", variables, default=""),
        variables=variables,
        request=_request(table.table("request")),
        response=_response(table.table("response")),
        rotation=table.choice("rotation", Rotation),
        grace=table.value("grace", _grace, f"static, until_used, or seconds up to {LONGEST_GRACE.total_seconds():.0f}"),
        access_token_lifetime=access_token.seconds("lifetime_seconds"),
        refresh_window=access_token.seconds("window_seconds") or DEFAULT_WINDOW,
        refresh_token=_refresh_token(table.table("refresh_token")),
        rate=_rate(table),
        authorization=_authorization(table, variables),
        evidence=tuple(_evidence(entry) for entry in table.tables("evidence")),
    )
    access_token.finish()
    table.finish()
    if not provider.evidence:
        raise table.error("evidence", "a list with at least one source ([[evidence]] with says, source and on)")
    return provider


def _grace(value: object) -> Grace:
    if value in ("static", "until_used"):
        return Grace(duration=LONGEST_GRACE, ends_by=GraceEnd(value))
    if type(value) is not int or not 0 <= value <= LONGEST_GRACE.total_seconds():
        raise ValueError
    return Grace(duration=timedelta(seconds=value))


def _variables(table: Table) -> dict[str, Variable]:
    return {
        name: table.value(name, partial(_variable, name), "a pattern, or a list of values that fit in a host name")
        for name in table.keys
    }


def _variable(name: str, value: object) -> Variable:
    if isinstance(value, str):
        re.compile(value)
        return Variable(name=name, pattern=value)
    if not isinstance(value, list) or not value:
        raise ValueError
    variable = Variable(name=name, pattern="", choices=tuple(value))
    if not all(variable.accepts(choice) for choice in value):
        raise ValueError
    return variable


def _endpoint(table: Table, key: str, variables: dict[str, Variable], **default: str) -> str:
    """Read the template of an endpoint. Whatever fills its variables, the host must stay the provider's."""
    template: str = table.text(key, **default, pattern=rf"(?a)({_ANYWHERE}|{_HERE})")
    undeclared = sorted(places(template) - set(variables))
    if undeclared:
        raise table.error(key, f"a URL whose variables stand under [variables]; {undeclared[0]} doesn't")
    if not host_is_fixed(template, variables):
        raise table.error(key, "a URL with a literal domain to the right of each variable in its host")
    return template


def _request(table: Table) -> RequestFormat:
    request = RequestFormat(
        auth_method=table.choice("auth", AuthMethod, AuthMethod.POST),
        grant=table.choice("grant", Grant, Grant.REFRESH_TOKEN),
        grant_type=table.text("grant_type", None, pattern=r"[\w:.-]+"),
        method=table.text("method", "POST", pattern="POST|GET"),
        encoding=table.choice("encoding", Encoding, Encoding.FORM),
        names=table.texts_by_key("names", keys=_REQUEST_FIELDS, values=f"{_FIELD}|"),
        params=table.texts_by_key("params", keys=_FIELD),
        headers=table.texts_by_key("headers", keys=_HEADER, values=r"[\x20-\x7e]*"),
        assertion_algorithm=table.text("assertion_algorithm", "RS256", pattern="RS256|PS256|ES256"),
        assertion_audience=table.text("assertion_audience", None),
        assertion_headers=table.texts_by_key("assertion_headers", keys="kid|x5t|x5t#S256"),
    )
    table.finish()
    if request.method == "GET" and request.encoding is not Encoding.QUERY:
        raise table.error("encoding", "query, because the method is GET")
    return request


def _response(table: Table) -> ResponseFormat:
    response = ResponseFormat(
        encoding=table.choice("encoding", Encoding, Encoding.JSON),
        envelope=table.texts("envelope", pattern=_FIELD),
        names=table.texts_by_key("names", keys=_RESPONSE_FIELDS, values=_FIELD),
        expiry=table.choice("expiry", Expiry, Expiry.EXPIRES_IN),
        dead=_matchers(table, "dead"),
        client=_matchers(table, "client"),
        busy=_matchers(table, "busy"),
        unknown=_matchers(table, "unknown"),
        keep=table.texts("keep", pattern=_KEPT),
    )
    table.finish()
    return response


def _matchers(table: Table, key: str) -> tuple[Matcher, ...]:
    return tuple(_matcher(entry) for entry in table.tables(key))


def _matcher(table: Table) -> Matcher:
    status = table.whole("status", None, low=200, high=599)
    fields = table.value("fields", _exact_values, "a table of paths, each with a string, whole number or boolean")
    table.finish()
    return Matcher(status=status, fields=fields)


def _exact_values(value: object) -> dict[str, str | int | bool]:
    if not isinstance(value, dict) or not value:
        raise ValueError
    if not all(re.fullmatch(_FIELD, key) and isinstance(v, str | int) for key, v in value.items()):
        raise ValueError
    return dict(value)


def _refresh_token(table: Table) -> RefreshTokenLife:
    life = RefreshTokenLife(
        lifetime=table.seconds("lifetime_seconds"),
        is_fixed=table.switch("fixed", default=False),
        idle=table.seconds("idle_seconds"),
    )
    table.finish()
    return life


def _rate(profile: Table) -> RateLimit | None:
    if "rate" not in profile.keys:
        return None
    table = profile.table("rate")
    rate = RateLimit(
        requests=table.whole("requests", low=1, high=1_000_000),
        per=timedelta(seconds=table.whole("seconds", low=1, high=86_400)),
        scope=table.text("per", pattern=_SCOPES),
    )
    table.finish()
    return rate


def _authorization(profile: Table, variables: dict[str, Variable]) -> Authorization | None:
    if "authorization" not in profile.keys:
        return None
    table = profile.table("authorization")
    authorization = Authorization(
        endpoint=_endpoint(table, "endpoint", variables),
        scopes=table.texts("scopes"),
        scope_separator=table.text("scope_separator", " ", pattern="[ ,+]"),
        params=table.texts_by_key("params", keys=_FIELD),
        pkce=table.switch("pkce", default=True),
    )
    table.finish()
    return authorization


def _evidence(table: Table) -> Evidence:
    evidence = Evidence(
        says=table.text("says"),
        source=table.text("source"),
        on=table.day("on"),
        basis=table.choice("basis", Basis, Basis.DOCUMENTED),
    )
    table.finish()
    return evidence
