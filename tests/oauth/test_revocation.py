"""What the response of a revocation endpoint proves (RFC 7009)."""

import json

import pytest

from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.oauth.revocation import read_revocation


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, None), (200, b""), (204, b""), (400, b'{"error": "invalid_token"}'), (400, b'{"error": "invalid_grant"}')],
)
def test_a_token_that_works_no_more(status: int, body: bytes | None) -> None:
    """Success, and what some providers say of a token that has ended, prove that it works no more."""
    assert read_revocation(status, body) is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", FailureKind.CLIENT_REJECTED),
        (400, {"error": "invalid_client"}, FailureKind.CLIENT_REJECTED),
        (403, {"error": "unauthorized_client"}, FailureKind.CLIENT_REJECTED),
        (400, {"error": "unsupported_token_type"}, FailureKind.REQUEST_REJECTED),
        (400, {"error": ["invalid_token"]}, FailureKind.REQUEST_REJECTED),
        (403, {"error": "invalid_token"}, FailureKind.REQUEST_REJECTED),
        (302, b"", FailureKind.REQUEST_REJECTED),
        (404, b"<html>", FailureKind.REQUEST_REJECTED),
        (500, b"", FailureKind.REQUEST_REJECTED),
        (429, b"", FailureKind.BUSY),
        (503, b"", FailureKind.BUSY),
        (200, {"ok": False, "error": "invalid_auth"}, FailureKind.REQUEST_REJECTED),
        (200, {"error": {"code": "internal"}}, FailureKind.REQUEST_REJECTED),
    ],
)
def test_a_token_that_may_still_work(status: int, body: object, kind: FailureKind) -> None:
    """Everything else proves nothing, and no value of the response is quoted."""
    found = read_revocation(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    assert FailedRequest(kind=kind, seen=f"HTTP {status}") == found
