"""Responses that differ from RFC 6749, read as a profile says."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from oauth.responses import GOOD, read, tokens
from token_refresh.secret_value import SecretValue
from token_refresh.stored.times import LONGEST_LIFETIME
from token_refresh_worker.oauth.formats import Encoding, Expiry, ResponseFormat
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse, read_response
from token_refresh_worker.providers.provider import RefreshTokenLife
from token_refresh_worker.stored.origin import ClaimStoreKind


def test_a_form_encoded_response() -> None:
    """Some providers respond as RFC 6749 wants requests: form-encoded."""
    form = ResponseFormat(encoding=Encoding.FORM)
    body = urlencode({"access_token": "a+b", "expires_in": "60", "scope": "x y"}).encode()

    found = read_response(200, body, None, form)

    minute = timedelta(minutes=1)
    expected = TokenResponse(access_token=SecretValue("a+b"), refresh_token=None, lifetime=minute, scopes=("x", "y"))
    assert expected == found
    for broken in (b"", b"<html>", b"{}", b"\n&&"):
        failed = read_response(200, broken, None, form)
        assert (
            FailedRequest(kind=FailureKind.UNREADABLE, seen="HTTP 200 with a body that is not form-encoded") == failed
        )


@pytest.mark.parametrize(
    "body",
    [
        b"access_token=a&refresh_token=r&scope=x\n",
        b"\xef\xbb\xbfaccess_token=a\r\n&refresh_token=r",
        b"&access_token=a&&refresh_token=r&",
        b"access_token=a&refresh_token=r&refresh_token=r&scope",
        b"scope=read&access_token=a&refresh_token=r&scope=write",
        "access_token=a&refresh_token=r&name=Zo\u00eb".encode(),
        b"access_token=a&refresh_token=r&name=Zo\xeb&also=%ff",
    ],
)
def test_a_lax_form_loses_no_token(body: bytes) -> None:
    """Line ends, empty pairs, a repeated pair or name and text in any encoding leave the tokens readable."""
    found = read_response(200, body, None, ResponseFormat(encoding=Encoding.FORM))

    assert isinstance(found, TokenResponse)
    assert ("a", SecretValue("r"), None) == (found.access_token.reveal(), found.refresh_token, found.lifetime)


@pytest.mark.parametrize(
    "body", [b"access_token=a\nrefresh_token=r", b"access_token=\xeb", b"access_token=a&access_token=b"]
)
def test_a_form_makes_no_token_up(body: bytes) -> None:
    """A value that is not a token as it stands is not turned into one."""
    failed = read_response(200, body, None, ResponseFormat(encoding=Encoding.FORM))

    assert FailedRequest(kind=FailureKind.UNREADABLE, seen="HTTP 200 with no usable access_token") == failed


def test_a_form_with_two_refresh_tokens() -> None:
    """A form that names two refresh tokens has none: keeping the old one could keep a revoked one."""
    body = b"access_token=a&refresh_token=r&refresh_token=s"

    failed = read_response(200, body, None, ResponseFormat(encoding=Encoding.FORM))

    assert FailedRequest(kind=FailureKind.UNREADABLE, seen="HTTP 200 with a refresh_token that is not one") == failed


@pytest.mark.parametrize("text", [b"Zo\xeb", b"two\r\nlines", b"a\ttab", b"\xed\xa0\x80", b"\x00"])
def test_lax_json_loses_nothing(text: bytes) -> None:
    """Text in another encoding, or with raw control characters, hides neither tokens nor a dead grant beside it."""
    with_tokens = b'{"access_token": "a", "refresh_token": "r", "name": "%s"}' % text
    found = read_response(200, with_tokens)
    assert TokenResponse(access_token=SecretValue("a"), refresh_token=SecretValue("r"), lifetime=None) == found

    dead = read_response(400, b'{"error": "invalid_grant", "error_description": "%s"}' % text)
    assert (
        FailedRequest(kind=FailureKind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant")
        == dead
    )


@pytest.mark.parametrize("token", [b"a\xeb", b"a\nb"])
def test_lax_json_makes_no_token_up(token: bytes) -> None:
    """A value that is not a token as it stands is not turned into one."""
    failed = read_response(200, b'{"access_token": "%s"}' % token)

    assert FailedRequest(kind=FailureKind.UNREADABLE, seen="HTTP 200 with no usable access_token") == failed


def test_an_envelope_and_other_names() -> None:
    """Tokens are found inside an envelope and under other names."""
    body = {"code": 0, "data": {"x": {"token": "a", "refreshToken": "r", "ttl": 60}}}
    names = {"access_token": "token", "refresh_token": "refreshToken", "expires_in": "ttl"}

    expected = TokenResponse(
        access_token=SecretValue("a"), refresh_token=SecretValue("r"), lifetime=timedelta(minutes=1)
    )
    assert expected == tokens(body, envelope=("data", "x"), names=names)
    missing = read(body, envelope=("data", "y"), names=names)
    assert isinstance(missing, FailedRequest)
    assert (FailureKind.UNREADABLE, "HTTP 200 with no object at data.y") == (missing.kind, missing.seen)


SENT_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expiry", "value", "lifetime"),
    [
        (Expiry.EPOCH, int(SENT_AT.timestamp()) + 60, timedelta(minutes=1)),
        (Expiry.EPOCH, str(int(SENT_AT.timestamp()) + 60), timedelta(minutes=1)),
        (Expiry.EPOCH, int(SENT_AT.timestamp()), None),
        (Expiry.EPOCH, (int(SENT_AT.timestamp()) + 60) * 1000, timedelta(minutes=1)),
        (Expiry.EPOCH, "2026-11-24T13:00:00Z", timedelta(hours=1)),
        (Expiry.EPOCH, 10**11, None),
        (Expiry.EPOCH, True, None),
        (Expiry.EPOCH, "soon", None),
        (Expiry.EPOCH, 10**11 - 1, LONGEST_LIFETIME),
        (Expiry.ISO, "2026-11-24T13:00:00Z", timedelta(hours=1)),
        (Expiry.ISO, "2026-11-24T13:00:00", timedelta(hours=1)),
        (Expiry.ISO, "2026-11-24T13:00:00.123+01:00", None),
        (Expiry.ISO, "0001-01-01T00:00:00+10:00", None),
        (Expiry.ISO, int(SENT_AT.timestamp()) + 60, timedelta(minutes=1)),
        (Expiry.EXPIRES_IN, 60, timedelta(minutes=1)),
        # Nobody means a duration of decades, where it is a moment of the next years.
        (Expiry.EXPIRES_IN, int(SENT_AT.timestamp()) + 3600, timedelta(hours=1)),
        (Expiry.EXPIRES_IN, (int(SENT_AT.timestamp()) + 3600) * 1000, timedelta(hours=1)),
        (Expiry.EXPIRES_IN, "2026-11-24T13:00:00Z", timedelta(hours=1)),
        (Expiry.EXPIRES_IN, int(SENT_AT.timestamp()) - 60, None),
        (Expiry.EXPIRES_IN, 999_999_999, LONGEST_LIFETIME),
        (Expiry.NONE, 60, None),
    ],
)
def test_an_expiry_as_a_moment(expiry: Expiry, value: object, lifetime: timedelta | None) -> None:
    """An expiry as Unix time or ISO 8601 counts from when the request was sent; an unusable one is absent."""
    found = tokens(GOOD | {"until": value}, expiry=expiry, names={"expires_in": "until"})

    assert lifetime == found.lifetime_from(SENT_AT)


IN_A_WEEK = int(SENT_AT.timestamp()) + 7 * 86_400


@pytest.mark.parametrize(
    ("moved", "hard", "days"),
    [
        (100 * 86_400, 1825 * 86_400, 100),
        (100 * 86_400, 7 * 86_400, 7),
        (100 * 86_400, None, 100),
        (IN_A_WEEK, 100 * 86_400, 7),
        (IN_A_WEEK * 1000, None, 7),
        ("2026-12-01T12:00:00.5Z", None, 7),
        (int(SENT_AT.timestamp()) - 1, None, None),
        (400_000_000, 86_400 * 3650, None),
        (4_000_000_000, 86_400, 1),
        ("never", 0, None),
        (90, None, None),
        (53 * 60, 86_400, 1),
        (54 * 60, None, 54 / 1440),
    ],
)
def test_the_earlier_end_of_a_grant_counts(moved: object, hard: object, days: float | None) -> None:
    """The earliest end that a response states counts, as a duration or as a moment.

    None of ten years and more does, and none so near that the claim store can't keep up with it.
    """
    stated = {"refresh_token_expires_in": moved, "refresh_token_hard_expires_in": hard}

    ends = tokens(GOOD | stated).refresh_token_ends

    ends_at = RefreshTokenLife().ends_at(
        SENT_AT.replace(microsecond=7), stated=ends, begins=True, store=ClaimStoreKind.VERSIONS
    )
    assert (days and SENT_AT + timedelta(days=days)) == ends_at


def test_what_a_profile_keeps() -> None:
    """Text, whole numbers and booleans of moderate size are kept, larger numbers as text; nothing else is."""
    body = GOOD | {"url": "https://a", "n": 7, "b": False, "empty": "", "long": "x" * 2049, "list": [], "big": 2**60}

    found = tokens(body, keep=("url", "n", "b", "empty", "long", "list", "big", "absent"))

    assert found.extra == {"url": "https://a", "n": 7, "b": False, "big": str(2**60)}
    assert "https://a" not in repr(found)
