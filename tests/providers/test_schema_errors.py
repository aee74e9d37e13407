"""Each error of a profile names the file, the key, and what the value must be."""

from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pytest

from providers.minimal_profile import EVIDENCE, GONE, LEAST, read
from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers.schema import read_provider
from token_refresh_worker.providers.table import TomlTable


def chosen(name: str, *, parameter: str = "location", start: str = "eu", values: dict[str, str]) -> dict[str, Any]:
    return {"redirect_variables": {name: {"parameter": parameter, "start": start, "values": values}}}


def redirecting(**changes: Any) -> dict[str, Any]:
    return {
        "token_endpoint": "https://{place}.example.com/{free}",
        "variables": {"place": ["eu", "us"], "free": "[a-z]+"},
        "response": {"keep": ["instance_url"]},
        "authorization": {"endpoint": "https://e.com", **changes},
    }


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in LEAST.items() if name != key}


REDIRECTS: list[tuple[dict[str, Any], str]] = [
    ({"keep_redirect": ["state"]}, "authorization: keep_redirect must be without state, which a redirect"),
    ({"keep_redirect": ["x"], "code_name": "x"}, "authorization: keep_redirect must be without x"),
    ({"signature": "code"}, "authorization: keep_redirect must be without code"),
    ({"keep_redirect": ["realm_token"]}, "authorization: keep_redirect must be a list of strings"),
    ({"keep_redirect": ["instance_url"]}, "without keep_redirect instance_url: responses bring it"),
    ({"identity": ["realmId"]}, "without identity realmId: no extra field or variable has that name"),
    ({"loopback": "yes"}, "authorization: loopback must be one of none, localhost, ip, name"),
    *[
        (chosen(name, start=start, values=values), "values must be values of the variable")
        for name, start, values in (
            ("other", "eu", {"e": "eu"}),
            ("free", "eu", {"e": "eu"}),
            ("place", "asia", {"e": "eu"}),
            ("place", "eu", {"e": "evil.example"}),
        )
    ],
    *[
        (chosen("place", parameter=name, values=values), "values must be a table, not empty")
        for name, values in (("location", {}), ("code", {"e": "eu"}))
    ],
]


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
                "https://user@example.com",
                "https://a..example.com/t",
                "https://a.com:99999/t",
                "https://a.com/{Shop}",
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
        ({"variables": {"shop": "a{1,99999999999999999999}"}}, "variables: shop must be a pattern"),
        ({"variables": {"shop": "(" * 5_000 + ")" * 5_000}}, "variables: shop must be a pattern"),
        ({"variables": {"shop": ["a"] * 201}}, "variables: shop must be a pattern, or a list of up to 200 values"),
        ({"rotation": "sometimes"}, "rotation must be one of always, optional, never"),
        ({"grace": "forever"}, "grace must be static, until_used, or seconds up to 2592000"),
        ({"grace": -1}, "grace must be static"),
        ({"grace": True}, "grace must be static"),
        ({"grace": 2592001}, "grace must be static"),
        ({"access_token": {"lifetime_seconds": 0}}, "access_token: lifetime_seconds must be a whole number from 1"),
        ({"access_token": {"lifetime_seconds": True}}, "access_token: lifetime_seconds must be a whole number from 1"),
        ({"access_token": {"lifetime": 60}}, "access_token: there is no key lifetime; the keys here are lifetime_s"),
        ({"refresh_token": {"fixed": 1}}, "refresh_token: fixed must be true or false"),
        ({"ends_on": datetime(2027, 2, 16, 12, tzinfo=UTC)}, "ends_on must be a date without quotes"),
        ({"request": {"auth": "basic"}}, "request: auth must be one of client_secret_post, client_secret_basic, none"),
        ({"request": {"assertion_audience": "api://${aws:username}"}}, "request: assertion_audience must be a string"),
        ({"request": {"assertion_audience": "a b"}}, "request: assertion_audience must be a string"),
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
            ({"request": {"names": {"client_id": "key"}, "params": {name: "x"}}}, f"must be .*; a request has {name}")
            for name in ("grant_type", "client_id", "key")
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
        ({"response": {"dead": [{"status": 200}]}}, r"response: dead\[0\]: fields is missing"),
        (
            {"response": {"dead": [{"status": 503}, {"status": 503, "fields": {"a": 1}}]}},
            r"dead\[1\] must be .*: dead\[0\] matches",
        ),
        ({"response": {"dead": [{"fields": {}}]}}, r"dead\[0\]: fields must be a table of paths"),
        ({"response": {"dead": [{"fields": {"a": [1]}}]}}, r"dead\[0\]: fields must be a table of paths"),
        ({"response": {"dead": [{"status": 99, "fields": {"a": 1}}]}}, r"dead\[0\]: status must be a whole number"),
        ({"response": {"dead": [{"status": 304, "fields": {"a": 1}}]}}, r"dead\[0\]: status must .* 304 has no body"),
        *[
            ({"response": {"dead": [{"fields": {path: 1}}]}}, r"dead\[0\]: fields must be a table of paths")
            for path in (".a", "a.", "a..b", "a b", "")
        ],
        (
            {"response": {"busy": [{"fields": {"e": 1, "e.b": 2}}]}},
            r"busy\[0\]: fields must be .*: e.b needs an object",
        ),
        *[
            ({"response": {"encoding": "form", "dead": [{"fields": fields}]}}, "fields must be names without a")
            for fields in ({"errors.0": "x"}, {"code": 7})
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
        ({"rate": {"requests": 1_000_001, "seconds": 1, "per": "ip"}}, "rate: requests must be .*1000000"),
        ({"rate": {"requests": 1, "seconds": 86_401, "per": "ip"}}, "rate: seconds must be .*86400"),
        ({"rate": {"requests": 1, "seconds": 1, "per": "day"}}, "rate: per must be a string that matches ip"),
        ({"authorization": {}}, "authorization: endpoint is missing"),
        ({"authorization": {"endpoint": "https://e.com", "pkc": True}}, "authorization: there is no key pkc"),
        (
            {"authorization": {"endpoint": "https://e.com", "code_params": {"code": "x"}}},
            "authorization: code_params must be further fields only; the exchange has code anyway",
        ),
        *((redirecting(**changes), says) for changes, says in REDIRECTS),
        ({"response": {"keep": ["team.id", "team_id"]}}, "keep must be a name of its own .* stored as team_id"),
        ({"variables": {"shop": {"a": "b/c"}}}, "variables: shop must be a pattern"),
        ({"old_access_token": "ends"}, "old_access_token must be one of dies, lives"),
        ({"revocation_endpoint": "https://{shop}.example.com"}, r"revocation_endpoint must be .*; shop doesn't"),
        ({"ends_on": date(2027, 2, 16)}, "ends_on must be the changes_on of a line of evidence"),
        ({"resource": "https://api.example.com/#x"}, "resource must be a string that matches"),
        ({"resource": "api.example.com"}, "resource must be a string that matches"),
        ({"successor": "other"}, "successor must be absent without ends_on"),
        ({"evidence": [EVIDENCE | {"source": "A forum"}]}, r"evidence\[0\]: source must be a link, because the basis"),
        ({"evidence": []}, "evidence must be a list with at least one source"),
        ({"evidence": [EVIDENCE | {"on": "2026-11-24"}]}, r"evidence\[0\]: on must be a date without quotes"),
        ({"tokenendpoint": "x"}, "example.toml: there is no key tokenendpoint; the keys here are access_token"),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, Any], says: str) -> None:
    """The error says where it is and what it must be, so that the file can be corrected without reading code."""
    with pytest.raises(ConfigurationError, match=says):
        read(**changes)


@pytest.mark.parametrize("key", ["title", "rotation", "grace"])
def test_a_missing_key_is_named(key: str) -> None:
    """What has no default must be there."""
    with pytest.raises(ConfigurationError, match=f"example.toml: {key} is missing; it must be"):
        TomlTable(without(key), "example.toml").read_all(partial(read_provider, "example"))
