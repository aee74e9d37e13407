"""Token responses as RFC 6749 has them, and what each proves."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oauth.responses import GOOD, read, respond, tokens
from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.formats import Encoding, Matcher, ResponseFormat
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse, read_response


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


UNUSABLE: list[object] = [None, "", "soon", "NaN", "inf", "-inf", True, False, [], {}, [60], 10**400]
OVER: list[object] = [0, -1, 0.5, "0", "-5"]


@pytest.mark.parametrize(
    ("value", "lifetime"), [*((value, None) for value in UNUSABLE), *((value, timedelta(0)) for value in OVER)]
)
def test_an_unusable_lifetime_costs_no_tokens(value: object, lifetime: timedelta | None) -> None:
    """An `expires_in` that can't be used is as good as absent, and the tokens are kept; below a second it says so."""
    found = success(expires_in=value)

    assert (lifetime, None) == (found.lifetime, found.lifetime_from(datetime(2026, 11, 24, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"<html>challenge</html>", "HTTP 200 with a body that is not a JSON object"),
        (b"", "HTTP 200 with a body that is not a JSON object"),
        (b"[" * 50_000, "HTTP 200 with a body that is not a JSON object"),
        (b"\xff\xfe\x00", "HTTP 200 with a body that is not a JSON object"),
        (b'{"access_token": 1' + b"0" * 5000 + b"}", "HTTP 200 with no usable access_token"),
        (b"{}", "HTTP 200 with no usable access_token"),
        (b'{"access_token": 12345}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": ""}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": "a\\nb"}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": "a\\u00e9"}', "HTTP 200 with no usable access_token"),
        (b'{"access_token": "a", "refresh_token": 7}', "HTTP 200 with a refresh_token that is not one"),
        (b'{"access_token": "a", "refresh_token": "\\u0000"}', "HTTP 200 with a refresh_token that is not one"),
        (
            b'{"access_token": "a", "error": "server_error"}',
            "HTTP 200 with an error in it, among the fields /access_token, /error",
        ),
        (None, "HTTP 200 with a body that is encoded or over 262144 bytes"),
    ],
)
def test_a_2xx_that_is_no_token_response_may_have_redeemed(body: bytes | None, seen: str) -> None:
    """A success that can't be read proves nothing about the refresh token."""
    assert FailedRequest(kind=FailureKind.UNREADABLE, seen=seen) == read_response(200, body)
    assert FailureKind.UNREADABLE.may_have_redeemed


@pytest.mark.parametrize(
    ("code", "seen", "error"),
    [
        (40199, "HTTP 200 with no object at data.token, code=40199", "40199"),
        (0, "HTTP 200 with no object at data.token, code=0", "0"),
        (1_000_000, "HTTP 200 with no object at data.token", None),
        (-1, "HTTP 200 with no object at data.token", None),
        ("40199", "HTTP 200 with no object at data.token", None),
        (True, "HTTP 200 with no object at data.token", None),
    ],
)
def test_an_own_code_that_no_matcher_lists_is_shown(code: object, seen: str, error: str | None) -> None:
    """A small integer where the profile looks for codes is shown, so that somebody finds out which one means dead."""
    of = ResponseFormat(
        envelope=("data", "token"), dead=(Matcher(fields={"code": 40101}), Matcher(fields={"data.why": "x"}))
    )

    failed = read_response(200, json.dumps({"code": code, "data": {}, "other": 7}).encode(), None, of)

    assert FailedRequest(kind=FailureKind.UNREADABLE, seen=seen, error=error) == failed


def test_an_unknown_error_names_its_fields() -> None:
    """Who has to correct a profile sees where the code is, and no value; a name that could be a token is not shown."""
    canary = "canaryOfFourtyTwoLettersWithoutAnyDivision"
    body = {"error": {"code": f"{canary}1", "details": [canary, 7]}, canary: None, "ok": False}

    failed = failure(200, body)
    of_form = read_response(200, f"error={canary}&{canary}=1".encode(), None, ResponseFormat(encoding=Encoding.FORM))

    shown = "/error/code, /error/details/0, /error/details/1, /#2, /ok"
    assert f"HTTP 200 with an error in it, among the fields {shown}" == failed.seen
    assert isinstance(of_form, FailedRequest)
    assert "HTTP 200 with an error in it" == of_form.seen
    many = failure(200, {"error": dict.fromkeys(("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"))})
    assert many.seen.endswith("/error/j")


@pytest.mark.parametrize(
    "named",
    [
        {"refresh": "r" * 16},
        {"refreshHandle": "v1.aB~c/d+e=f|g:h"},
        {"data": [{"refresh": {"value": "r" * 40}}]},
        {"refresh_key": 2**53},
        {"refresh_key": 10**40},
        {"new_refresh_credential": str(10**15)},
    ],
)
def test_a_refresh_token_under_a_name_of_its_own(named: dict[str, object]) -> None:
    """Where each refresh brings one, a response that names it otherwise can't be read: the old one is used up."""
    body = {"access_token": "a", "expires_in": 3600, **named}

    failed = read(body, rotates=True)

    assert isinstance(failed, FailedRequest)
    assert (FailureKind.UNREADABLE, "HTTP 200 with a refresh token in an unknown place") == (failed.kind, failed.seen)
    assert tokens(body).refresh_token is None
    assert tokens(body | {"refresh_token": "r2"}, rotates=True).refresh_token == SecretValue("r2")


@pytest.mark.parametrize(
    "beside",
    [
        {"refresh_token_expires_in": 2**53 - 1},
        {"refresh_expires_at": "2026-11-30T12:00:00.000Z"},
        {"refresh_url": "https://provider.example/refresh"},
        {"refresh_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"refresh_hint": "the old one stays good"},
        {"refreshed": True, "refresh": None, "refresh_after": "3600"},
        {"session": "s" * 40},
    ],
)
def test_what_is_no_refresh_token_costs_no_response(beside: dict[str, object]) -> None:
    """Times, addresses and words are none, and neither is what has another name: the old token stays."""
    assert tokens({"access_token": "a", **beside}, rotates=True).refresh_token is None


@pytest.mark.parametrize("error", [None, "", False, 0, {}, []])
def test_an_empty_error_is_no_error(error: object) -> None:
    """A provider that always sends `error`, empty where all is well, has sent tokens."""
    assert isinstance(respond(200, GOOD | {"error": error}), TokenResponse)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("invalid_grant", FailureKind.GRANT_REJECTED),
        ("invalid_client", FailureKind.CLIENT_REJECTED),
        ("unauthorized_client", FailureKind.CLIENT_REJECTED),
        ("invalid_request", FailureKind.REQUEST_REJECTED),
        ("unsupported_grant_type", FailureKind.REQUEST_REJECTED),
        ("invalid_scope", FailureKind.REQUEST_REJECTED),
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 498])
def test_a_4xx_is_decided_by_its_error_code(status: int, error: str, kind: FailureKind) -> None:
    """The codes of RFC 6749 section 5.2 say what was refused; the description is not looked at."""
    body = {"error": error, "error_description": "the client is fine, invalid_grant, canary"}

    assert FailedRequest(kind=kind, seen=f"HTTP {status} with {error}", error=error) == failure(status, body)
    assert not kind.may_have_redeemed


@pytest.mark.parametrize(
    "body", [None, {}, [], {"error": None}, {"error": 7}, {"error": "canary"}, {"error": {"code": "invalid_grant"}}]
)
def test_a_4xx_without_a_code_is_no_verdict_on_the_grant(body: object) -> None:
    """A refusal of another kind, an HTML page included, redeemed nothing and says nothing about the grant."""
    expected = FailedRequest(kind=FailureKind.UNEXPECTED, seen="HTTP 403 without an RFC 6749 error code")

    assert expected == failure(403, body)
    assert expected == read_response(403, b"<html>Forbidden: invalid_grant</html>")
    assert expected == read_response(403, None)
    assert not FailureKind.UNEXPECTED.may_have_redeemed


def test_a_redirect_is_not_followed_and_not_read() -> None:
    """A 3xx redeemed nothing, whatever it says."""
    for status in (300, 302):
        assert FailureKind.UNEXPECTED is failure(status, {"error": "invalid_grant"}).kind
        assert FailureKind.UNEXPECTED is failure(status, {"access_token": "a"}).kind


SOON = timedelta(seconds=7)
ERROR = b'{"error": "rate_limited"}'


@pytest.mark.parametrize(
    ("status", "body", "retry_after"),
    [(429, None, None), (429, b"<html></html>", SOON), (429, b'{"error": "invalid_grant"}', SOON), (503, ERROR, SOON)],
)
def test_a_busy_provider_redeemed_nothing(status: int, body: bytes | None, retry_after: timedelta | None) -> None:
    """429 says it by itself, 503 where the provider's application spoke; `Retry-After` is passed on."""
    read = read_response(status, body, retry_after)

    assert FailedRequest(kind=FailureKind.BUSY, seen=f"HTTP {status}", retry_after=retry_after) == read
    assert not FailureKind.BUSY.may_have_redeemed


@pytest.mark.parametrize(
    ("body", "retry_after"),
    [
        (ERROR, None),
        (None, SOON),
        (b"", SOON),
        (b"<html>503 Backend fetch failed</html>", SOON),
        (b"error=rate_limited", SOON),
        *((body, SOON) for body in (b"[]", b"{}", b'"busy"', b'{"error": ""}', b'{"error": null}', b'{"error": {}}')),
    ],
)
def test_a_503_of_a_gateway_may_have_redeemed(body: bytes | None, retry_after: timedelta | None) -> None:
    """A gateway may say 503 after it forwarded a request, and Varnish's stock page has `Retry-After`."""
    expected = FailedRequest(kind=FailureKind.NO_RESPONSE, seen="HTTP 503", retry_after=retry_after)

    assert expected == read_response(503, body, retry_after)
    assert expected == read_response(503, body, retry_after, ResponseFormat(encoding=Encoding.FORM))


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
@pytest.mark.parametrize("code", ["server_error", "temporarily_unavailable"])
@pytest.mark.parametrize("encoding", [Encoding.JSON, Encoding.FORM])
def test_a_server_that_says_that_it_failed_may_have_redeemed(status: int, code: str, encoding: Encoding) -> None:
    """Nobody knows how far it came, whatever the status; also in JSON where its tokens come in a form.

    A 503 that says when to come again, and that it is unavailable, is the provider's word that it did nothing.
    """
    form, body = ResponseFormat(encoding=encoding), json.dumps({"error": code}).encode()
    later = (503, "temporarily_unavailable") == (status, code)
    for kind, wait in ((FailureKind.BUSY if later else FailureKind.NO_RESPONSE, SOON), (FailureKind.NO_RESPONSE, None)):
        expected = FailedRequest(kind=kind, seen=f"HTTP {status} with {code}", error=code, retry_after=wait)
        assert expected == read_response(status, body, wait, form)
    known = read({"error": code}, status, busy=(Matcher(status=None, fields={"error": code}),))
    assert isinstance(known, FailedRequest)
    assert FailureKind.BUSY is known.kind


@pytest.mark.parametrize("status", [408, 499, 500, 502, 504, 599, 600, 100])
def test_any_other_status_may_have_redeemed(status: int) -> None:
    """A gateway's timeout and a server error prove nothing, even where the body holds an error code."""
    assert FailedRequest(kind=FailureKind.NO_RESPONSE, seen=f"HTTP {status}") == failure(
        status, {"error": "invalid_grant"}
    )
    assert FailureKind.NO_RESPONSE.may_have_redeemed
