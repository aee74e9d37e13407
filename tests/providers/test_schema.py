"""A profile is read key by key; what it leaves out is RFC 6749's."""

import inspect
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from providers.minimal_profile import EVIDENCE, GONE, LEAST, read
from token_refresh.errors import ConfigurationError
from token_refresh_worker.oauth.formats import (
    AuthMethod,
    Encoding,
    Expiry,
    Grant,
    Matcher,
    RequestFormat,
    ResponseFormat,
    RevocationFormat,
)
from token_refresh_worker.providers import format_schema, redirect, schema
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
from token_refresh_worker.providers.redirect import Loopback, RedirectFormat, RedirectVariable
from token_refresh_worker.providers.variables import EndpointVariable


def test_what_a_profile_leaves_out_is_rfc_6749_s() -> None:
    """The least profile is an RFC 6749 server whose endpoint the deployment names."""
    expected = Provider(
        name="example",
        title="Example",
        token_endpoint="",
        rotation=Rotation.ALWAYS,
        grace=Grace(duration=timedelta(0)),
        refresh_window=timedelta(hours=8),
        response=ResponseFormat(rotates=True),
        evidence=(Evidence(**EVIDENCE),),
    )

    assert expected == read()
    assert RequestFormat() == expected.request
    assert ResponseFormat(rotates=True) == expected.response
    assert not read(rotation="optional").response.rotates


def test_every_key_is_read() -> None:
    """Each key of the schema has its place in the value."""
    found = read(
        token_endpoint="https://{shop}.example.com/{tenant}/token",
        variables={"shop": "[a-z]+", "tenant": ["eu", "us"]},
        grace="until_used",
        access_token={"lifetime_seconds": 1800, "window_seconds": 420},
        refresh_token={"lifetime_seconds": 31536000, "fixed": True, "idle_seconds": 86400},
        request={
            "auth": "private_key_jwt",
            "grant": "exchange",
            "grant_type": "ig_refresh_token",
            "method": "GET",
            "encoding": "query",
            "names": {"client_id": "client_key"},
            "params": {"scope": "a b"},
            "headers": {"Notion-Version": "2022-06-28"},
            "assertion_algorithm": "ES256",
            "assertion_audience": "https://example.com",
        },
        response={
            "encoding": "json",
            "envelope": ["data"],
            "names": {"access_token": "token"},
            "expiry": "iso",
            "dead": [{"status": 400, "fields": {"errors.0.code": "gone", "n": 7}}],
            "client": [{"fields": {"error": "bad_client"}}],
            "busy": [{"fields": {"ok": False}}],
            "unknown": [{"fields": {"error": "internal"}}],
            "keep": ["instance_url", "team.id"],
        },
        rate={"requests": 10, "seconds": 600, "per": "grant"},
        authorization={
            "endpoint": "https://{shop}.example.com/authorize",
            "scopes": ["read", "write"],
            "scope_separator": ",",
            "params": {"prompt": "consent"},
            "code_params": {"expiring": "1"},
            "pkce": False,
            "issuer": "https://{shop}.example.com",
            "code_name": "the_code",
            "keep_redirect": ["realmId"],
            "identity": ["realmId", "team_id", "shop"],
            "loopback": "localhost",
            "signature": "hmac",
            "redirect_variables": {"tenant": {"parameter": "location", "start": "us", "values": {"e": "eu"}}},
        },
        old_access_token="dies",
        revocation_endpoint="https://{shop}.example.com/revoke",
        revocation={"access_token": True, "field": "access_token", "encoding": "json", "note": "others too"},
        ends_on=date(2027, 2, 16),
        successor="other",
        evidence=[EVIDENCE | {"basis": "reported", "changes_on": date(2027, 2, 16)}],
    )

    assert found == Provider(
        name="example",
        title="Example",
        token_endpoint="https://{shop}.example.com/{tenant}/token",
        variables={
            "shop": EndpointVariable(name="shop", pattern="[a-z]+"),
            "tenant": EndpointVariable(name="tenant", pattern="", choices=("eu", "us")),
        },
        request=RequestFormat(
            auth_method=AuthMethod.PRIVATE_KEY_JWT,
            grant=Grant.EXCHANGE,
            grant_type="ig_refresh_token",
            method="GET",
            encoding=Encoding.QUERY,
            names={"client_id": "client_key"},
            params={"scope": "a b"},
            headers={"Notion-Version": "2022-06-28"},
            assertion_algorithm="ES256",
            assertion_audience="https://example.com",
        ),
        response=ResponseFormat(
            encoding=Encoding.JSON,
            envelope=("data",),
            names={"access_token": "token"},
            expiry=Expiry.ISO,
            dead=(Matcher(status=400, fields={"errors.0.code": "gone", "n": 7}),),
            client=(Matcher(status=None, fields={"error": "bad_client"}),),
            busy=(Matcher(status=None, fields={"ok": False}),),
            unknown=(Matcher(status=None, fields={"error": "internal"}),),
            keep=("instance_url", "team.id"),
            rotates=True,
        ),
        rotation=Rotation.ALWAYS,
        grace=Grace(duration=timedelta(days=30), ends_by=GraceEnd.USE),
        access_token_lifetime=timedelta(minutes=30),
        refresh_token=RefreshTokenLife(lifetime=timedelta(days=365), is_fixed=True, idle=timedelta(days=1)),
        refresh_window=timedelta(minutes=7),
        rate=RateLimit(requests=10, per=timedelta(minutes=10), scope="grant"),
        authorization=AuthorizationPage(
            endpoint="https://{shop}.example.com/authorize",
            scopes=("read", "write"),
            scope_separator=",",
            params={"prompt": "consent"},
            code_params={"expiring": "1"},
            pkce=False,
            issuer="https://{shop}.example.com",
            redirect=RedirectFormat(
                code_name="the_code",
                keep=("realmId",),
                variables={"tenant": RedirectVariable(parameter="location", start="us", values={"e": "eu"})},
                signature="hmac",
                loopback=Loopback.LOCALHOST,
            ),
            identity=("realmId", "team_id", "shop"),
        ),
        old_access_token=OldAccessToken.DIES,
        revocation_endpoint="https://{shop}.example.com/revoke",
        revocation=RevocationFormat(access_token=True, field="access_token", encoding=Encoding.JSON, note="others too"),
        ends_on=date(2027, 2, 16),
        successor="other",
        evidence=(Evidence(**EVIDENCE, basis=EvidenceKind.REPORTED, changes_on=date(2027, 2, 16)),),
    )


def test_the_template_names_every_key() -> None:
    """The profile that users copy says what each key means; nothing else lists them."""
    sources = map(inspect.getsource, (schema, format_schema, redirect))
    keys = {key for source in sources for key in re.findall(r"\b(?:response|t|table)\.\w+\(\"(\w+)\"", source)}
    template = (Path(__file__).parents[2] / "examples" / "my-crm.toml").read_text()

    assert {"idle_seconds", "keep_redirect", "window_seconds"} <= keys
    assert set() == keys - set(re.findall(r"\w+", template))


def test_the_api_is_named_in_each_request() -> None:
    """`resource` goes to the page, into the exchange of the code and into a refresh; without a page, into the last."""
    resource = "https://api.example.com/mcp"

    found = read(resource=resource, authorization={"endpoint": "https://a.com/", "params": {"prompt": "consent"}})

    assert found.authorization is not None
    assert {"resource": resource} == found.request.params == found.authorization.code_params
    assert {"prompt": "consent", "resource": resource} == found.authorization.params
    assert {"resource": resource} == read(resource=resource).request.params


@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint": "https://a.com"},
        {"token_endpoint": "https://a.com:8443?t={t}", "variables": {"t": "[a-z]+"}},
        {"token_endpoint": "http://127.0.0.1:8000/token"},
        {"token_endpoint": "http://localhost/token"},
        {"request": {"params": {"redirect_uri": "https://a.com"}, "names": {"grant_type": "", "client_id": ""}}},
        {"request": {"names": {"client_id": "client_secret", "client_secret": "client_id"}}},
        {"response": {"encoding": "form", "dead": [{"fields": {"error": "gone"}}]}},
        {"response": {"busy": [{"fields": {"a": True}}], "dead": [{"fields": {"a": 1, "b": 2}}]}},
        {"response": {"busy": [GONE], "dead": [{"fields": {"a": "x"}}, {"status": 401, "fields": {"a": "z"}}]}},
    ],
)
def test_what_is_unusual_and_right_is_accepted(changes: dict[str, Any]) -> None:
    """The checks refuse nothing that works: each of these can be sent, and each matcher can match."""
    provider = read(**changes)

    filled = provider.for_document({"providerVariables": {"t": "x"}}).token_endpoint
    assert changes.get("token_endpoint", "").replace("{t}", "x") == filled


toml_values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=6) | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=5,
)
keys = st.sampled_from([*LEAST, "variables", "token_endpoint", "request", "response", "access_token", "rate", "x"])


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@settings(max_examples=examples(1_500))
@given(changes=st.dictionaries(keys, toml_values, max_size=3))
def test_whatever_a_file_holds_is_a_provider_or_a_named_error(changes: dict[str, Any]) -> None:
    """Generated profiles: each is accepted, or its error names the file."""
    try:
        read(**changes)
    except ConfigurationError as error:
        named = str(error)
    else:
        return
    assert named.startswith("example.toml: ")
