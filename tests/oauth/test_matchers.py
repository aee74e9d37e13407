"""A profile's matchers: how a provider says that a grant is dead, in exact values."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from oauth.responses import read
from token_refresh_worker.oauth.formats import Matcher, ResponseFormat
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, read_response

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
    assert matched is (found.kind is FailureKind.GRANT_REJECTED)


def test_a_matcher_may_ask_for_a_status() -> None:
    """The same body with another status doesn't match."""
    dead = (Matcher(status=400, fields={"error": "gone"}),)

    found = read(ERRORS, 400, dead=dead)

    assert isinstance(found, FailedRequest)
    assert (FailureKind.GRANT_REJECTED, "HTTP 400 with error=gone", "gone") == (found.kind, found.seen, found.error)
    assert FailureKind.UNREADABLE is getattr(read(ERRORS, 200, dead=dead), "kind", None)


@pytest.mark.parametrize(
    ("lists", "kind"),
    [
        (("dead",), FailureKind.GRANT_REJECTED),
        (("dead", "client"), FailureKind.CLIENT_REJECTED),
        (("dead", "client", "busy"), FailureKind.BUSY),
        (("dead", "client", "busy", "unknown"), FailureKind.UNREADABLE),
    ],
)
def test_where_several_match_the_most_careful_wins(lists: tuple[str, ...], kind: FailureKind) -> None:
    """A response that a profile lists twice ends no grant by accident."""
    form: dict[str, Any] = {name: (Matcher(fields={"error": "gone"}),) for name in lists}

    found = read(ERRORS, **form)

    assert isinstance(found, FailedRequest)
    assert (kind, "gone") == (found.kind, found.error)
    assert timedelta(seconds=7) == found.retry_after


@pytest.mark.parametrize("status", [408, 429, 499, 500, 503])
def test_a_matcher_decides_before_the_status(status: int) -> None:
    """A profile knows what its provider means by a status, whatever that proves elsewhere."""
    by_body, by_status = (Matcher(fields={"error": "gone"}),), (Matcher(status=status),)

    assert FailureKind.GRANT_REJECTED is getattr(read(ERRORS, status, dead=by_body), "kind", None)
    assert FailureKind.UNREADABLE is getattr(read(ERRORS, status, unknown=by_status), "kind", None)


@pytest.mark.parametrize("body", [None, b"", b"<html></html>", b"{}"])
def test_a_matcher_may_name_the_status_alone(body: bytes | None) -> None:
    """Whatever the body, a status means what the profile says, and the message quotes the status."""
    busy = ResponseFormat(busy=(Matcher(status=503),))

    assert FailedRequest(kind=FailureKind.BUSY, seen="HTTP 503") == read_response(503, body, None, busy)
    assert FailureKind.NO_RESPONSE is getattr(read_response(502, body, None, busy), "kind", None)


@settings(max_examples=examples(2_000))
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

    assert [FailureKind.UNREADABLE, FailureKind.UNEXPECTED, FailureKind.UNEXPECTED] == kinds
