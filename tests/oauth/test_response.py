"""What a response proves: tokens, or a named failure that may or may not have redeemed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from token_refresh.oauth.formats import Encoding, Expiry, Matcher, ResponseFormat
from token_refresh.oauth.response import FailedRequest, Kind, TokenResponse, read_response
from token_refresh.secret_value import SecretValue
from token_refresh.stored.times import LONGEST_LIFETIME

GOOD: dict[str, Any] = {"access_token": "a", "refresh_token": "r2", "token_type": "Bearer", "expires_in": 86400}


def respond(status: int, body: object = None) -> TokenResponse | FailedRequest:
    return read_response(status, json.dumps(body).encode())


def success(**changes: Any) -> TokenResponse:
    read = respond(200, GOOD | changes)
    assert isinstance(read, TokenResponse)
    return read


def failure(status: int, body: object = None) -> FailedRequest:
    read = respond(status, body)
    assert isinstance(read, FailedRequest)
    return read


def test_a_token_response() -> None:
    """Access token, refresh token and lifetime are read (RFC 6749 section 5.1)."""
    expected = TokenResponse(
        access_token=SecretValue("a"), refresh_token=SecretValue("r2"), lifetime=timedelta(seconds=86400)
    )

    assert expected == success()


@pytest.mark.parametrize("status", [200, 201, 299])
def test_any_2xx_may_be_a_token_response(status: int) -> None:
    """The class of the status counts."""
    assert isinstance(respond(status, GOOD), TokenResponse)


@pytest.mark.parametrize("kept", [None, ""])
def test_no_refresh_token_keeps_the_old_one(kept: str | None) -> None:
    """Absent, null and empty all mean that the provider sent none (RFC 6749 section 6)."""
    assert None is success(refresh_token=kept).refresh_token
    assert isinstance(respond(200, {"access_token": "a"}), TokenResponse)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(86400, 86400), ("86400", 86400), (1, 1), (59.9, 59), (" 60 ", 60), (1e3, 1000), ("1e3", 1000)],
)
def test_a_usable_lifetime(value: object, seconds: int) -> None:
    """`expires_in` is read as a number or as a string, in whole seconds."""
    assert timedelta(seconds=seconds) == success(expires_in=value).lifetime


@pytest.mark.parametrize(
    "value", [None, 0, -1, 0.5, "", "soon", "NaN", "inf", "-inf", True, False, [], {}, [60], "0", "-5", 10**400]
)
def test_an_unusable_lifetime_costs_no_tokens(value: object) -> None:
    """An `expires_in` that can't be used is as good as absent: the tokens are kept."""
    assert None is success(expires_in=value).lifetime


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_lifetime_that_is_no_json_number_costs_no_tokens(constant: str) -> None:
    """Python's JSON reads NaN and infinities; as lifetimes they count as absent."""
    read = read_response(200, b'{"access_token": "a", "expires_in": %s}' % constant.encode())

    assert isinstance(read, TokenResponse)
    assert None is read.lifetime


@pytest.mark.parametrize("value", [10**12, "1e300", 10**300])
def test_an_endless_lifetime_is_cut(value: object) -> None:
    """No lifetime can overflow a date."""
    assert LONGEST_LIFETIME == success(expires_in=value).lifetime


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"<html>challenge</html>", "HTTP 200 with a body that is not a JSON object"),
        (b"", "HTTP 200 with a body that is not a JSON object"),
        (b"[]", "HTTP 200 with a body that is not a JSON object"),
        (b"[" * 50_000, "HTTP 200 with a body that is not a JSON object"),
        (b"\xff\xfe\x00", "HTTP 200 with a body that is not a JSON object"),
        (b'{"access_token": 1' + b"0" * 5000 + b"}", "HTTP 200 with no usable access_token"),
        (b"{}", "HTTP 200 with no usable access_token"),
        (b'{"access_token": null}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": 12345}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": ""}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": "a\\nb"}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": "a\\u00e9"}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": "a", "refresh_token": 7}', "HTTP 200 with a refresh_token that is not one"),
        (b'{"access_token": "a", "refresh_token": false}', "HTTP 200 with a refresh_token that is not one"),
        (b'{"access_token": "a", "refresh_token": "\\u0000"}', "HTTP 200 with a refresh_token that is not one"),
        (b'{"access_token": "a", "error": "server_error"}', "HTTP 200 with an error in it"),
        (None, "HTTP 200 with a body that is encoded or over 65536 bytes"),
    ],
)
def test_a_2xx_that_is_no_token_response_may_have_redeemed(body: bytes | None, seen: str) -> None:
    """A success that can't be read proves nothing about the refresh token."""
    assert FailedRequest(kind=Kind.UNREADABLE, seen=seen) == read_response(200, body)
    assert Kind.UNREADABLE.may_have_redeemed


@pytest.mark.parametrize("error", [None, "", False, 0, {}, []])
def test_an_empty_error_is_no_error(error: object) -> None:
    """A provider that always sends `error`, empty where all is well, has sent tokens."""
    assert isinstance(respond(200, GOOD | {"error": error}), TokenResponse)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("invalid_grant", Kind.GRANT_REJECTED),
        ("invalid_client", Kind.CLIENT_REJECTED),
        ("unauthorized_client", Kind.CLIENT_REJECTED),
        ("invalid_request", Kind.REQUEST_REJECTED),
        ("unsupported_grant_type", Kind.REQUEST_REJECTED),
        ("invalid_scope", Kind.REQUEST_REJECTED),
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 499])
def test_a_4xx_is_decided_by_its_error_code(status: int, error: str, kind: Kind) -> None:
    """The codes of RFC 6749 section 5.2 say what was refused; the description is not looked at."""
    body = {"error": error, "error_description": "the client is fine, invalid_grant, canary"}

    assert FailedRequest(kind=kind, seen=f"HTTP {status} with {error}", error=error) == failure(status, body)
    assert not kind.may_have_redeemed


@pytest.mark.parametrize(
    "body", [None, {}, [], {"error": None}, {"error": 7}, {"error": "canary"}, {"error": {"code": "invalid_grant"}}]
)
def test_a_4xx_without_a_code_is_no_verdict_on_the_grant(body: object) -> None:
    """A refusal of another kind, an HTML page included, redeemed nothing and says nothing about the grant."""
    expected = FailedRequest(kind=Kind.UNEXPECTED, seen="HTTP 403 without an RFC 6749 error code")

    assert expected == failure(403, body)
    assert expected == read_response(403, b"<html>Forbidden: invalid_grant</html>")
    assert expected == read_response(403, None)
    assert not Kind.UNEXPECTED.may_have_redeemed


def test_a_redirect_is_not_followed_and_not_read() -> None:
    """A 3xx redeemed nothing, whatever it says."""
    assert Kind.UNEXPECTED is failure(302, {"error": "invalid_grant"}).kind


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_provider_redeemed_nothing(status: int) -> None:
    """429 and 503 are decided by the status, whatever the body; `Retry-After` is passed on."""
    read = read_response(status, b'{"error": "invalid_grant"}', timedelta(seconds=7))

    assert FailedRequest(kind=Kind.BUSY, seen=f"HTTP {status}", retry_after=timedelta(seconds=7)) == read
    assert not Kind.BUSY.may_have_redeemed


@pytest.mark.parametrize("status", [500, 502, 504, 599, 600, 100])
def test_any_other_status_may_have_redeemed(status: int) -> None:
    """A server error proves nothing, even where its body holds an error code."""
    assert FailedRequest(kind=Kind.NO_RESPONSE, seen=f"HTTP {status}") == failure(status, {"error": "invalid_grant"})
    assert Kind.NO_RESPONSE.may_have_redeemed


def test_a_request_that_was_not_sent_redeemed_nothing() -> None:
    """Without a connection nothing can have been received."""
    assert not Kind.NOT_SENT.may_have_redeemed


def read(body: object, status: int = 200, **form: Any) -> TokenResponse | FailedRequest:
    return read_response(status, json.dumps(body).encode(), timedelta(seconds=7), ResponseFormat(**form))


def tokens(body: object, **form: Any) -> TokenResponse:
    found = read(body, **form)
    assert isinstance(found, TokenResponse)
    return found


def test_a_form_encoded_response() -> None:
    """Some providers respond as RFC 6749 wants requests: form-encoded."""
    form = ResponseFormat(encoding=Encoding.FORM)
    body = urlencode({"access_token": "a+b", "expires_in": "60", "scope": "x y"}).encode()

    found = read_response(200, body, None, form)

    assert TokenResponse(access_token=SecretValue("a+b"), refresh_token=None, lifetime=timedelta(minutes=1)) == found
    for broken in (b"", b"<html>", b"{}", b"\n&&", b"access_token=a&access_token=b", b"access_token=a&access_token="):
        failed = read_response(200, broken, None, form)
        assert FailedRequest(kind=Kind.UNREADABLE, seen="HTTP 200 with a body that is not form-encoded") == failed


@pytest.mark.parametrize(
    "body",
    [
        b"access_token=a&refresh_token=r&scope=x\n",
        b"\xef\xbb\xbfaccess_token=a\r\n&refresh_token=r",
        b"&access_token=a&&refresh_token=r&",
        b"access_token=a&refresh_token=r&refresh_token=r&scope",
        "access_token=a&refresh_token=r&name=Zo\u00eb".encode(),
        b"access_token=a&refresh_token=r&name=Zo\xeb&also=%ff",
    ],
)
def test_a_lax_form_loses_no_token(body: bytes) -> None:
    """Line ends, empty pairs, a repeated pair and text in any encoding leave the tokens readable."""
    found = read_response(200, body, None, ResponseFormat(encoding=Encoding.FORM))

    assert TokenResponse(access_token=SecretValue("a"), refresh_token=SecretValue("r"), lifetime=None) == found


@pytest.mark.parametrize("body", [b"access_token=a\nrefresh_token=r", b"access_token=\xeb", b"access_token=%0Aa"])
def test_a_form_makes_no_token_up(body: bytes) -> None:
    """A value that is not a token as it stands is not turned into one."""
    failed = read_response(200, body, None, ResponseFormat(encoding=Encoding.FORM))

    assert FailedRequest(kind=Kind.UNREADABLE, seen="HTTP 200 with no usable access_token") == failed


def test_an_envelope_and_other_names() -> None:
    """Tokens are found inside an envelope and under other names."""
    body = {"code": 0, "data": {"x": {"token": "a", "refreshToken": "r", "ttl": 60}}}
    names = {"access_token": "token", "refresh_token": "refreshToken", "expires_in": "ttl"}

    expected = TokenResponse(
        access_token=SecretValue("a"), refresh_token=SecretValue("r"), lifetime=timedelta(minutes=1)
    )
    assert expected == tokens(body, envelope=("data", "x"), names=names)
    missing = FailedRequest(kind=Kind.UNREADABLE, seen="HTTP 200 with no object at data.y")
    assert missing == read(body, envelope=("data", "y"), names=names)


SENT_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expiry", "value", "lifetime"),
    [
        (Expiry.EPOCH, int(SENT_AT.timestamp()) + 60, timedelta(minutes=1)),
        (Expiry.EPOCH, str(int(SENT_AT.timestamp()) + 60), timedelta(minutes=1)),
        (Expiry.EPOCH, int(SENT_AT.timestamp()), None),
        (Expiry.EPOCH, 10**11, None),
        (Expiry.EPOCH, -1, None),
        (Expiry.EPOCH, True, None),
        (Expiry.EPOCH, "soon", None),
        (Expiry.EPOCH, 10**11 - 1, LONGEST_LIFETIME),
        (Expiry.ISO, "2026-11-24T13:00:00Z", timedelta(hours=1)),
        (Expiry.ISO, "2026-11-24T13:00:00", timedelta(hours=1)),
        (Expiry.ISO, "2026-11-24T13:00:00.123+01:00", None),
        (Expiry.ISO, "0001-01-01T00:00:00+10:00", None),
        (Expiry.ISO, "soon", None),
        (Expiry.ISO, 60, None),
        (Expiry.EXPIRES_IN, 60, timedelta(minutes=1)),
        (Expiry.NONE, 60, None),
    ],
)
def test_an_expiry_as_a_moment(expiry: Expiry, value: object, lifetime: timedelta | None) -> None:
    """An expiry as Unix time or ISO 8601 counts from when the request was sent; an unusable one is absent."""
    found = tokens(GOOD | {"until": value}, expiry=expiry, names={"expires_in": "until"})

    assert lifetime == found.lifetime_from(SENT_AT)


def test_how_long_the_grant_lives() -> None:
    """The life of the refresh token is read where the response says it."""
    body = GOOD | {"x_refresh_token_expires_in": "8640000"}

    assert None is tokens(body).refresh_token_lifetime
    found = tokens(body, names={"refresh_token_expires_in": "x_refresh_token_expires_in"})
    assert timedelta(days=100) == found.refresh_token_lifetime


def test_what_a_profile_keeps() -> None:
    """Text, whole numbers and booleans of moderate size are kept; nothing else is."""
    body = GOOD | {"url": "https://a", "n": 7, "b": False, "empty": "", "long": "x" * 2049, "list": [], "big": 2**60}

    found = tokens(body, keep=("url", "n", "b", "empty", "long", "list", "big", "absent"))

    assert {"url": "https://a", "n": 7, "b": False} == found.kept
    assert "https://a" not in repr(found)


ERRORS = {"ok": False, "error": "gone", "errors": [{"code": "invalid", "n": 1}], "n": 1}


@pytest.mark.parametrize(
    ("matched", "wanted"),
    [
        (True, {"error": "gone"}),
        (True, {"errors.0.code": "invalid"}),
        (True, {"errors.0.code": "invalid", "ok": False}),
        (True, {"n": 1}),
        (False, {"errors.0.code": "invalid", "ok": True}),
        (False, {"error": "gon"}),
        (False, {"error": "Gone"}),
        (False, {"errors.1.code": "invalid"}),
        (False, {"errors.x.code": "invalid"}),
        (False, {"errors.\u0660.code": "invalid"}),
        (False, {"error.0": "g"}),
        (False, {"n": True}),
        (False, {"ok": 0}),
        (False, {"errors.9999999999.code": "invalid"}),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_matcher_compares_exact_values(status: int, *, matched: bool, wanted: dict[str, Any]) -> None:
    """All fields must have exactly their values, of the same type, at any status."""
    found = read(ERRORS, status, dead=(Matcher(fields=wanted),))

    assert isinstance(found, FailedRequest)
    assert matched is (found.kind is Kind.GRANT_REJECTED)


def test_a_matcher_may_ask_for_a_status() -> None:
    """The same body with another status doesn't match."""
    dead = (Matcher(status=400, fields={"error": "gone"}),)

    assert FailedRequest(kind=Kind.GRANT_REJECTED, seen="HTTP 400 with error=gone", error="gone") == read(
        ERRORS, 400, dead=dead
    )
    assert Kind.UNREADABLE is getattr(read(ERRORS, 200, dead=dead), "kind", None)


@pytest.mark.parametrize(
    ("lists", "kind"),
    [
        (("dead",), Kind.GRANT_REJECTED),
        (("dead", "client"), Kind.CLIENT_REJECTED),
        (("dead", "client", "busy"), Kind.BUSY),
        (("dead", "client", "busy", "unknown"), Kind.UNREADABLE),
    ],
)
def test_where_several_match_the_most_careful_wins(lists: tuple[str, ...], kind: Kind) -> None:
    """A response that a profile lists twice ends no grant by accident."""
    form: dict[str, Any] = {name: (Matcher(fields={"error": "gone"}),) for name in lists}

    found = read(ERRORS, **form)

    assert isinstance(found, FailedRequest)
    assert (kind, "gone") == (found.kind, found.error)
    assert (timedelta(seconds=7) if kind is Kind.BUSY else None) == found.retry_after


def test_a_matcher_decides_before_rfc_6749() -> None:
    """A profile may say that its provider means something else by a code."""
    found = read({"error": "invalid_grant"}, 400, unknown=(Matcher(fields={"error": "invalid_grant"}),))

    assert isinstance(found, FailedRequest)
    assert Kind.UNREADABLE is found.kind


def test_429_needs_no_body() -> None:
    """429 and 503 are decided by the status even where a profile lists the body as dead."""
    found = read(ERRORS, 429, dead=(Matcher(fields={"error": "gone"}),))

    assert FailedRequest(kind=Kind.BUSY, seen="HTTP 429", retry_after=timedelta(seconds=7)) == found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["access_token", "refresh_token", "expires_in", "error", "token_type", "scope", "x"])
errors = st.sampled_from(["invalid_grant", "invalid_client", "canary-error", "temporarily_unavailable"])
bodies = (
    st.dictionaries(keys, errors | st.text(max_size=8) | json_values, max_size=6).map(lambda d: json.dumps(d).encode())
    | st.binary(max_size=80)
    | st.none()
)


forms = st.builds(
    ResponseFormat,
    encoding=st.sampled_from([Encoding.JSON, Encoding.FORM]),
    envelope=st.sampled_from([(), ("x",), ("error",), ("x", "0")]),
    names=st.dictionaries(keys, keys | st.just("x"), max_size=2),
    expiry=st.sampled_from(Expiry),
    dead=st.lists(st.builds(Matcher, fields=st.just({"error": "canary-error"})), max_size=1).map(tuple),
    keep=st.just(("scope",)),
)


@settings(max_examples=3_000, deadline=None)
@given(status=st.integers(100, 599), body=bodies, form=forms)
def test_whatever_a_provider_sends_is_tokens_or_a_named_failure(
    status: int, body: bytes | None, form: ResponseFormat
) -> None:
    """Generated responses in all formats: nothing raises, and what is said quotes no value of the response."""
    found = read_response(status, body, None, form)

    if isinstance(found, TokenResponse):
        assert 200 <= status < 300
        lifetime = found.lifetime_from(SENT_AT)
        assert lifetime is None or timedelta(seconds=1) <= lifetime <= LONGEST_LIFETIME
        return
    rest = found.seen.removeprefix(f"HTTP {status}").strip()
    known = "with a body that is", "with an error in it", "with no usable", "with a refresh_token", "without an RFC"
    assert rest in {"", f"with {found.error}", "with error=canary-error"} or rest.startswith(
        (*known, "with no object at")
    )
    assert found.error in {None, "invalid_grant", "invalid_client", "canary-error"}
    if found.error != "canary-error":
        assert (status >= 500 or 200 <= status < 300 or status < 200) >= found.kind.may_have_redeemed


@settings(max_examples=2_000, deadline=None)
@given(status=st.integers(200, 599), where=st.sampled_from(["error", "message", "errors", "scope", "access_token"]))
def test_a_response_that_quotes_a_token_shows_it_nowhere(status: int, where: str) -> None:
    """Fitbit's error quotes the refresh token: no text of the result has it, whatever the status."""
    token = "canary-refresh-token"
    quoted = {"errorType": "invalid_grant", "message": f"Refresh token invalid: {token}"}
    body = json.dumps({where: [quoted], "description": token, where + "2": token}).encode()
    dead = (Matcher(fields={"errors.0.errorType": "invalid_grant"}),)

    found = read_response(status, body, None, ResponseFormat(dead=dead))

    assert "canary" not in repr(found)
    assert "canary" not in str(getattr(found, "error", ""))


def test_an_unread_body_may_hide_that_the_token_was_redeemed() -> None:
    """Where the profile knows a 4xx that means a redemption, a 4xx whose body can't be read proves nothing."""
    unknown = ResponseFormat(unknown=(Matcher(status=400, fields={"error": "gone"}),))

    kinds = [getattr(read_response(status, None, None, unknown), "kind", None) for status in (400, 401, 302)]

    assert [Kind.UNREADABLE, Kind.UNEXPECTED, Kind.UNEXPECTED] == kinds


def test_a_number_that_python_refuses_costs_no_tokens() -> None:
    """An integer of thousands of digits beside the tokens is as good as infinite."""
    body = b'{"access_token": "a", "refresh_token": "b", "expires_in": 3600, "x": ' + b"1" * 5000 + b"}"

    assert isinstance(read_response(200, body), TokenResponse)
