"""A profile is checked key by key, and each error names the file, the key, and what the value must be."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from token_refresh.errors import ConfigurationError
from token_refresh_worker.oauth.formats import (
    AuthMethod,
    Encoding,
    Expiry,
    Grant,
    Matcher,
    RequestFormat,
    ResponseFormat,
)
from token_refresh_worker.providers.loader import load_provider, read_profile
from token_refresh_worker.providers.provider import (
    AuthorizationPage,
    Basis,
    Evidence,
    Grace,
    GraceEnd,
    Provider,
    RateLimit,
    RefreshTokenLife,
    Rotation,
)
from token_refresh_worker.providers.schema import read_provider
from token_refresh_worker.providers.table import Table
from token_refresh_worker.providers.variables import Variable

EVIDENCE: dict[str, Any] = {"says": "a fact", "source": "https://example.com/docs", "on": date(2026, 11, 24)}
GONE = {"status": 400, "fields": {"a": "x", "b": "y"}}
LEAST: dict[str, Any] = {"title": "Example", "rotation": "always", "grace": 0, "evidence": [EVIDENCE]}


def read(**changes: Any) -> Provider:
    return read_provider("example", Table(LEAST | changes, "example.toml"))


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in LEAST.items() if name != key}


def test_what_a_profile_leaves_out_is_rfc_6749_s() -> None:
    """The least profile is an RFC 6749 server whose endpoint the deployment names."""
    expected = Provider(
        name="example",
        title="Example",
        token_endpoint="",
        rotation=Rotation.ALWAYS,
        grace=Grace(duration=timedelta(0)),
        refresh_window=timedelta(hours=8),
        evidence=(Evidence(**EVIDENCE),),
    )

    assert expected == read()
    assert RequestFormat() == expected.request
    assert ResponseFormat() == expected.response


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
            "keep": ["instance_url"],
        },
        rate={"requests": 10, "seconds": 600, "per": "grant"},
        authorization={
            "endpoint": "https://{shop}.example.com/authorize",
            "scopes": ["read", "write"],
            "scope_separator": ",",
            "params": {"prompt": "consent"},
            "pkce": False,
        },
        evidence=[EVIDENCE | {"basis": "reported"}],
    )

    assert found == Provider(
        name="example",
        title="Example",
        token_endpoint="https://{shop}.example.com/{tenant}/token",
        variables={
            "shop": Variable(name="shop", pattern="[a-z]+"),
            "tenant": Variable(name="tenant", pattern="", choices=("eu", "us")),
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
            keep=("instance_url",),
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
            pkce=False,
        ),
        evidence=(Evidence(**EVIDENCE, basis=Basis.REPORTED),),
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"title": 7}, "example.toml: title must be a string"),
        *[
            (
                {"token_endpoint": url},
                r"^example.toml: token_endpoint must be a URL such as https://\{shop\}.example.com/t",
            )
            for url in (
                "http://example.com",
                "http://127.0.0.1.example.com/",
                "http://127.0.0.1:{port}/",
                "https://user@example.com",
                "https://a..example.com/t",
                "https://a.com:99999/t",
                "https://a.com/{Shop}",
                "https://a.com/t}",
                "https:///t",
                7,
            )
        ],
        (
            {"token_endpoint": "https://{shop}.example.com"},
            r"token_endpoint must be .* under \[variables\]; shop doesn't",
        ),
        (
            {"token_endpoint": "https://{shop}.com", "variables": {"shop": "[a-z]+"}},
            "token_endpoint must be a URL with a literal domain to the right",
        ),
        (
            {"token_endpoint": "https://a.com/t", "variables": {"shop": "[a-z]+"}},
            r"example.toml: variables must be those of the endpoints; no endpoint has \{shop\}",
        ),
        ({"variables": 7}, "example.toml: variables must be a table"),
        ({"variables": {"shop": 7}}, "example.toml: variables: shop must be a pattern, or a list of up"),
        ({"variables": {"shop": "["}}, "variables: shop must be a pattern"),
        ({"variables": {"shop": []}}, "variables: shop must be a pattern"),
        ({"variables": {"shop": ["a/b"]}}, "variables: shop must be a pattern"),
        ({"variables": {"shop": [7]}}, "variables: shop must be a pattern"),
        ({"variables": {"shop": "a{1,99999999999999999999}"}}, "variables: shop must be a pattern"),
        ({"variables": {"shop": "(" * 5_000 + ")" * 5_000}}, "variables: shop must be a pattern"),
        ({"variables": {"shop": ["a"] * 201}}, "variables: shop must be a pattern, or a list of up to 200 values"),
        ({"rotation": "sometimes"}, "rotation must be one of always, optional, never"),
        ({"grace": "forever"}, "grace must be static, until_used, or seconds up to 2592000"),
        ({"grace": "time"}, "grace must be static, until_used, or seconds"),
        ({"grace": -1}, "grace must be static"),
        ({"grace": True}, "grace must be static"),
        ({"grace": 2592001}, "grace must be static"),
        ({"access_token": {"lifetime_seconds": 0}}, "access_token: lifetime_seconds must be a whole number from 1"),
        ({"access_token": {"lifetime": 60}}, "access_token: there is no key lifetime; the keys here are lifetime_s"),
        ({"refresh_token": {"fixed": 1}}, "refresh_token: fixed must be true or false"),
        ({"request": {"auth": "basic"}}, "request: auth must be one of client_secret_post, client_secret_basic, none"),
        ({"request": {"method": "PUT"}}, "request: method must be a string that matches POST"),
        ({"request": {"method": "GET"}}, "request: encoding must be query, because the method is GET"),
        (
            {"request": {"names": {"scope": "s"}}},
            "request: names must be a table of strings; its keys match grant_type",
        ),
        ({"request": {"headers": {"Host": "example.org"}}}, "request: headers must be a table of strings"),
        ({"request": {"headers": {"authorization": "x"}}}, "request: headers must be a table of strings"),
        ({"request": {"headers": {"Content-Length": "1"}}}, "request: headers must be a table of strings"),
        ({"request": {"headers": {"X": "a\r\nHost: b"}}}, "request: headers must be a table of strings"),
        ({"request": {"headers": {"X-A": " 1"}}}, "request: headers must be a table of strings"),
        ({"request": {"headers": {"X-A": "1 "}}}, "request: headers must be a table of strings"),
        ({"access_token": {"window_seconds": 179}}, "access_token: window_seconds must be a whole number from 180 to"),
        ({"request": {"headers": {"X-A": "1", "x-a": "2"}}}, "request: headers must be .*; x-a is there twice"),
        ({"request": {"grant": "exchange"}}, "request: grant_type must be the provider's own name for an exchange"),
        *[
            ({"request": {"names": {name: ""}}}, f'request: names must be without {name} = ""')
            for name in ("refresh_token", "access_token", "client_secret")
        ],
        *[
            ({"request": {"names": names}}, f"request: names must be a name of its own for each field; {twice} would")
            for names, twice in (
                ({"client_id": "refresh_token"}, "refresh_token"),
                ({"client_id": "key", "client_secret": "key"}, "key"),
                ({"client_id": "client_assertion"}, "client_assertion"),
                ({"client_id": "code"}, "code"),
            )
        ],
        *[
            (
                {"request": {"names": {"client_id": "key"}, "params": {name: "x"}}},
                f"params must be .*; a request has {name}",
            )
            for name in ("refresh_token", "grant_type", "client_id", "key", "client_assertion")
        ],
        *[
            ({"response": {"names": names}}, f"response: names must be .*; {twice} would be read as two")
            for names, twice in (
                ({"refresh_token": "access_token"}, "access_token"),
                ({"access_token": "t", "refresh_token": "t"}, "t"),
            )
        ],
        ({"response": {"names": {"access_token": "key"}, "keep": ["key"]}}, "response: keep must be without key"),
        ({"response": {"encoding": "query"}}, "response: encoding must be form or json"),
        ({"response": {"encoding": "form", "envelope": ["data"]}}, "response: envelope must be absent"),
        ({"response": {"keep": ["refreshToken"]}}, "response: keep must be a list of strings"),
        ({"response": {"keep": ["provider"]}}, "response: keep must be a list of strings"),
        ({"response": {"dead": {}}}, "response: dead must be a list of tables"),
        ({"response": {"dead": [7]}}, r"response: dead\[0\] must be a table"),
        ({"response": {"dead": [{}]}}, r"response: dead\[0\]: fields is missing; it must be a table of paths"),
        ({"response": {"dead": [{"fields": {}}]}}, r"dead\[0\]: fields must be a table of paths"),
        ({"response": {"dead": [{"fields": {"a": [1]}}]}}, r"dead\[0\]: fields must be a table of paths"),
        ({"response": {"dead": [{"status": 99, "fields": {"a": 1}}]}}, r"dead\[0\]: status must be a whole number"),
        *[
            (
                {"response": {"dead": [{"status": status, "fields": {"a": 1}}]}},
                rf"dead\[0\]: status must .* {status} {why}",
            )
            for status, why in (
                (429, "always means"),
                (503, "always means"),
                (204, "has no body"),
                (304, "has no body"),
            )
        ],
        *[
            ({"response": {"dead": [{"fields": {path: 1}}]}}, r"dead\[0\]: fields must be a table of paths")
            for path in (".a", "a.", "a..b", "a b", "")
        ],
        (
            {"response": {"busy": [{"fields": {"e": 1, "e.b": 2}}]}},
            r"busy\[0\]: fields must be .*: e.b needs an object",
        ),
        *[
            (
                {"response": {"encoding": "form", "dead": [{"fields": fields}]}},
                r"dead\[0\]: fields must be names without a",
            )
            for fields in ({"errors.0": "x"}, {"code": 7}, {"ok": False})
        ],
        *[
            (
                {"response": {wider: [{"fields": {"a": "x"}}], "dead": [GONE]}},
                rf"dead\[0\] must be .*: {wider}\[0\] matches",
            )
            for wider in ("unknown", "busy", "client")
        ],
        (
            {"response": {"dead": [{"fields": {"a": "x"}}, GONE]}},
            r"response: dead\[1\] must be absent or different: dead\[0\]",
        ),
        ({"rate": {"requests": 1, "seconds": 1, "per": "day"}}, "rate: per must be a string that matches ip"),
        ({"authorization": {}}, "authorization: endpoint is missing"),
        ({"authorization": {"endpoint": "https://e.com", "pkc": True}}, "authorization: there is no key pkc"),
        ({"evidence": []}, "evidence must be a list with at least one source"),
        ({"evidence": [EVIDENCE | {"on": "2026-11-24"}]}, r"evidence\[0\]: on must be a date without quotes"),
        ({"tokenendpoint": "x"}, "example.toml: there is no key tokenendpoint; the keys here are access_token"),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, Any], says: str) -> None:
    """The error says where it is and what it must be, so that the file can be corrected without reading code."""
    with pytest.raises(ConfigurationError, match=says):
        read(**changes)


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


@pytest.mark.parametrize("key", ["title", "rotation", "grace"])
def test_a_missing_key_is_named(key: str) -> None:
    """What has no default must be there."""
    with pytest.raises(ConfigurationError, match=f"example.toml: {key} is missing; it must be"):
        read_provider("example", Table(without(key), "example.toml"))


toml_values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=6) | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=5,
)
keys = st.sampled_from([*LEAST, "variables", "token_endpoint", "request", "response", "access_token", "rate", "x"])


@settings(max_examples=3_000, deadline=None)
@given(changes=st.dictionaries(keys, toml_values, max_size=3))
def test_whatever_a_file_holds_is_a_provider_or_a_named_error(changes: dict[str, Any]) -> None:
    """3,000 generated profiles: each is accepted, or its error names the file."""
    try:
        read(**changes)
    except ConfigurationError as error:
        named = str(error)
    else:
        return
    assert named.startswith("example.toml: ")


def written(folder: Path, text: str, name: str = "example.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    """The error names the file and the line."""
    with pytest.raises(ConfigurationError, match=r"example.toml is not valid TOML: Invalid value \(at"):
        read_profile(written(tmp_path, "title = "))
    with pytest.raises(ConfigurationError, match=r"example.toml is nested too deeply; a profile has two levels"):
        read_profile(written(tmp_path, "title = " + "[" * 5_000 + "]" * 5_000))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"binary.toml is not valid TOML"):
        read_profile(tmp_path / "binary.toml")


def test_a_file_s_name_is_the_provider_s(tmp_path: Path) -> None:
    """The name goes into settings, tags and metrics, so it is plain."""
    with pytest.raises(ConfigurationError, match=r"My CRM.toml: the name of a profile must match"):
        read_profile(written(tmp_path, "", "My CRM.toml"))


@pytest.mark.parametrize(
    "name", ["", "canary", "../profiles/upwork", "upwork.toml", "UPWORK", "/etc/passwd", "a" * 300]
)
def test_only_a_profile_s_name_names_a_file(name: str) -> None:
    """A name may come from a stored document, and must not reach another file."""
    with pytest.raises(ConfigurationError, match="there is no provider profile of that name") as caught:
        load_provider(name)

    assert "canary" not in str(caught.value)
