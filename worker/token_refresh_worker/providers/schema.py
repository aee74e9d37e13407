"""The schema of a profile: which keys there are, and what each must be."""

import re
import ssl
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from token_refresh.stored.refresh_window import DEFAULT_WINDOW
from token_refresh_worker.oauth.formats import Encoding, RevocationFormat
from token_refresh_worker.providers.format_schema import FIELD, TAKEN, request_format, response_format
from token_refresh_worker.providers.provider import (
    AuthorizationPage,
    Evidence,
    EvidenceKind,
    Grace,
    GraceEnd,
    OldAccessToken,
    Provider,
    RateLimit,
    RefreshTokenLife,
    Rotation,
)
from token_refresh_worker.providers.redirect import read_redirect_format
from token_refresh_worker.providers.table import TomlTable
from token_refresh_worker.providers.variables import (
    VARIABLE_IN_WORDS,
    EndpointVariable,
    host_is_fixed,
    places,
    read_template,
    read_variable,
)
from token_refresh_worker.stored.origin import LONGEST_GRACE

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")

# EventBridge Scheduler runs once a minute at most, and a window takes three runs (tests/infra/test_providers.py).
SHORTEST_WINDOW_SECONDS: Final = 180

_URL_IN_WORDS: Final = (
    "a URL such as https://{shop}.example.com/token: https unless its host is 127.0.0.1 or localhost, a real port, and "
    "variables in lower case"
)
_RESOURCE: Final = '[A-Za-z][A-Za-z0-9+.-]*:[!-"$-~]+'  # an absolute URI without a fragment (RFC 8707 section 2)


def read_provider(name: str, table: TomlTable) -> Provider:
    """Read a profile's keys; `TomlTable.read_all` refuses others."""
    variables = table.table("variables", _variables)
    lifetime, window = table.table(
        "access_token",
        lambda t: (t.seconds("lifetime_seconds"), t.seconds("window_seconds", low=SHORTEST_WINDOW_SECONDS)),
    )
    rotation = table.choice("rotation", Rotation)
    page = table.table("authorization", partial(_authorization, variables)) if "authorization" in table.keys else None
    provider = Provider(
        name=name,
        title=table.text("title"),
        token_endpoint=_endpoint(table, "token_endpoint", variables, default=""),
        variables=variables,
        request=table.table("request", request_format),
        response=replace(table.table("response", response_format), rotates=rotation is Rotation.ALWAYS),
        rotation=rotation,
        grace=table.value("grace", _grace, f"static, until_used, or seconds up to {LONGEST_GRACE.total_seconds():.0f}"),
        access_token_lifetime=lifetime,
        refresh_window=window or DEFAULT_WINDOW,
        refresh_token=table.table("refresh_token", _refresh_token),
        rate=table.table("rate", _rate) if "rate" in table.keys else None,
        authorization=page,
        old_access_token=table.choice("old_access_token", OldAccessToken, None),
        revocation_endpoint=_endpoint(table, "revocation_endpoint", variables, default=""),
        revocation=table.table("revocation", _revocation),
        ca_certificates=table.value("ca_certificates", _certificates, "certificates in PEM", None),
        ends_on=table.day("ends_on", None),
        successor=table.text("successor", None, pattern=NAME.pattern),
        evidence=table.tables("evidence", _evidence),
    )
    of_page = (page.endpoint, page.issuer) if page else ()
    endpoints = (provider.token_endpoint, provider.revocation_endpoint, *of_page)
    if unused := sorted(set(variables).difference(*map(places, endpoints))):
        raise table.error("variables", f"those of the endpoints; no endpoint has {{{unused[0]}}}")
    _check_extra(table, provider)
    _check_end(table, provider)
    resource = table.text("resource", None, pattern=_RESOURCE)
    # A profile nobody can check isn't accepted, not even a user's own.
    if not provider.evidence:
        raise table.error("evidence", "a list with at least one source ([[evidence]] with says, source and on)")
    return provider if resource is None else provider.for_resource(resource)


def _check_extra(table: TomlTable, provider: Provider) -> None:
    """Each extra field has one source, and an account is known by what is stored."""
    page = provider.authorization
    if twice := sorted(set(provider.response.extra) & set(page.redirect.keep)) if page else ():
        raise table.error("authorization", f"without keep_redirect {twice[0]}: responses bring it (response: keep)")
    if unknown := sorted(set(page.identity) - {*provider.extra_names, *provider.variables}) if page else ():
        raise table.error("authorization", f"without identity {unknown[0]}: no extra field or variable has that name")


def _check_end(table: TomlTable, provider: Provider) -> None:
    """An end has a source, like every other change."""
    if provider.ends_on is None and provider.successor is not None:
        raise table.error("successor", "absent without ends_on")
    if provider.ends_on and provider.ends_on not in {fact.changes_on for fact in provider.evidence}:
        raise table.error("ends_on", "the changes_on of a line of evidence, which has the source")


def _grace(value: object) -> Grace:
    if value in ("static", "until_used"):
        return Grace(duration=LONGEST_GRACE, ends_by=GraceEnd(value))
    if type(value) is not int or not 0 <= value <= LONGEST_GRACE.total_seconds():
        raise ValueError
    return Grace(duration=timedelta(seconds=value))


def _variables(table: TomlTable) -> dict[str, EndpointVariable]:
    return {name: table.value(name, partial(read_variable, name), VARIABLE_IN_WORDS) for name in table.keys}


def _endpoint(table: TomlTable, key: str, variables: dict[str, EndpointVariable], **default: str) -> str:
    """Read the template of an endpoint. Whatever fills its variables, the host must stay the provider's."""
    template = table.value(key, read_template, _URL_IN_WORDS, **default)
    if undeclared := sorted(places(template) - set(variables)):
        raise table.error(key, f"a URL whose variables stand under [variables]; {undeclared[0]} doesn't")
    if not host_is_fixed(template, variables):
        raise table.error(key, "a URL with a literal domain to the right of each variable in its host")
    return template


def _certificates(value: object) -> str:
    try:
        ssl.create_default_context(cadata=str(value))
    except ssl.SSLError:
        raise ValueError from None
    return str(value)


def _refresh_token(table: TomlTable) -> RefreshTokenLife:
    return RefreshTokenLife(
        lifetime=table.seconds("lifetime_seconds"),
        is_fixed=table.switch("fixed", default=False),
        idle=table.seconds("idle_seconds"),
    )


def _revocation(table: TomlTable) -> RevocationFormat:
    return RevocationFormat(
        access_token=table.switch("access_token", default=False),
        field=table.text("field", "token", pattern=FIELD),
        encoding=table.choice("encoding", Encoding, None),
        note=table.text("note", ""),
    )


def _rate(table: TomlTable) -> RateLimit:
    return RateLimit(
        requests=table.integer("requests", low=1, high=1_000_000),
        per=timedelta(seconds=table.integer("seconds", low=1, high=86_400)),
        scope=table.text("per", pattern="ip|client|grant"),
    )


def _authorization(variables: dict[str, EndpointVariable], table: TomlTable) -> AuthorizationPage:
    page = AuthorizationPage(
        endpoint=_endpoint(table, "endpoint", variables),
        scopes=table.texts("scopes"),
        scope_separator=table.text("scope_separator", " ", pattern="[ ,+]"),
        params=table.texts_by_key("params", keys=FIELD),
        code_params=table.texts_by_key("code_params", keys=FIELD),
        pkce=table.switch("pkce", default=True),
        issuer=_endpoint(table, "issuer", variables, default=""),
        redirect=read_redirect_format(table, variables),
        identity=table.texts("identity", pattern=FIELD),
    )
    if taken := sorted(TAKEN & set(page.code_params)):
        raise table.error("code_params", f"further fields only; the exchange has {taken[0]} anyway")
    return page


def _evidence(table: TomlTable) -> Evidence:
    fact = Evidence(
        says=table.text("says"),
        source=table.text("source"),
        on=table.day("on"),
        basis=table.choice("basis", EvidenceKind, EvidenceKind.DOCUMENTED),
        changes_on=table.day("changes_on", None),
    )
    if fact.basis is EvidenceKind.DOCUMENTED and not fact.source.startswith("https://"):
        raise table.error("source", "a link, because the basis is documented; or set basis to reported or assumed")
    return fact
