"""What the `exp` of an access token that is a JWT says of its life: an upper bound, where the response states none."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.body import jwt_expiry
from token_refresh_worker.oauth.response import TokenResponse
from token_refresh_worker.providers.loader import load_provider

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def jwt(claims: bytes) -> SecretValue:
    encoded = urlsafe_b64encode(claims).decode().rstrip("=")
    return SecretValue(f"eyJhbGciOiJub25lIn0.{encoded}.signature")


def expiring(moment: datetime) -> SecretValue:
    return jwt(json.dumps({"exp": int(moment.timestamp())}).encode())


@pytest.mark.parametrize(
    "claims",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"exp": null}',
        b'{"exp": true}',
        b'{"exp": {}}',
        b'{"exp": -1}',
        b'{"exp": NaN}',
        b'{"exp": 1e999}',
        b'{"exp": 1' + b"0" * 5000 + b"}",
        b'{"exp": [' + b"[" * 10_000,
        b'{"exp": 1795525200, "x": "' + b"x" * 20_000 + b'"}',
        b"\xff\xfe\x00\x81",
    ],
)
def test_a_hostile_jwt_says_nothing(claims: bytes) -> None:
    """Neither a wrong form nor depth, size or a huge number costs more than a look."""
    assert None is jwt_expiry(jwt(claims))


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.b.c", "a.b.c.d.e", "..", "a.!!!!.c", "a.eyJ.c"])
def test_what_is_no_jwt(token: str) -> None:
    """A token of another form says nothing."""
    assert None is jwt_expiry(SecretValue(token))


@pytest.mark.parametrize(
    ("ends_in", "stated", "before", "lives"),
    [
        (10 * 60, None, None, 600),
        (10 * 60, None, 3600, 600),
        (30 * 3600, None, None, 7200),
        (10 * 60, 3600, None, 3600),
        (0, None, None, 7200),
        (-600, None, None, 7200),
    ],
)
def test_an_end_is_an_upper_bound(ends_in: int, stated: int | None, before: int | None, lives: int) -> None:
    """It shortens what is known, and never lengthens it. What is stated counts; a past end says nothing."""
    provider = replace(load_provider("salesforce"), access_token_lifetime=2 * HOUR)
    response = TokenResponse(
        access_token=expiring(NOW + timedelta(seconds=ends_in)),
        refresh_token=None,
        lifetime=timedelta(seconds=stated) if stated else None,
    )

    known = timedelta(seconds=before) if before else None
    assert timedelta(seconds=lives) == provider.lifetime_of(response, NOW, known)


def test_the_default_is_bounded_too() -> None:
    """Where nobody knows how long tokens live, they count as an hour's, and a JWT of ten minutes doesn't."""
    provider = replace(load_provider("salesforce"), access_token_lifetime=None)

    def lives(seconds: int) -> timedelta | None:
        token = expiring(NOW + timedelta(seconds=seconds))
        return provider.lifetime_of(TokenResponse(access_token=token, refresh_token=None, lifetime=None), NOW)

    assert [timedelta(seconds=600), HOUR] == [lives(600), lives(86_400)]
