"""How the client authenticates to the token endpoint: by one of six methods (RFC 6749 section 2.3)."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never
from urllib.parse import quote_plus

from token_refresh.errors import ConfigurationError
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.stored.credentials import ClientCredentials

ASSERTION_LIFETIME: Final = timedelta(minutes=5)
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2

_P256_BYTES: Final = 32
_DER_SEQUENCE: Final = 0x30
_DER_INTEGER: Final = 0x02


def authenticate(client: ClientCredentials, method: AuthMethod) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields and the headers that exactly one method adds to a request."""
    client_id = {"client_id": client.client_id}
    match method:
        case AuthMethod.POST:  # RFC 6749 section 2.3.1
            return {**client_id, "client_secret": _secret(client, method)}, {}
        case AuthMethod.BASIC:
            # Both parts are form-encoded before they are joined (RFC 6749 section 2.3.1).
            pair = f"{quote_plus(client.client_id)}:{quote_plus(_secret(client, method))}"
            return {}, _basic(pair)
        case AuthMethod.NONE:  # RFC 6749 section 3.2.1
            return client_id, {}
        case AuthMethod.PRIVATE_KEY_JWT | AuthMethod.AWS_IAM_JWT:
            # The adapter adds the assertion itself, because each request needs a new one.
            return {**client_id, "client_assertion_type": ASSERTION_TYPE}, {}
        case AuthMethod.SECRET_AS_USER:  # without a password and without an identifier (Stripe)
            return {}, _basic(f"{_secret(client, method)}:")
    assert_never(method)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Assertion:
    """A JWT that proves who the client is, before it is signed (RFC 7523 section 3).

    Of one that AWS STS makes (`aws_iam_jwt`), audience and algorithm are asked for; the rest is the service's.
    """

    client_id: str
    audience: str
    algorithm: str
    headers: Mapping[str, str]

    def to_sign(self, *, now: datetime, nonce: str) -> str:
        """Return the part that is signed; `nonce` becomes the `jti`, and must be new for each request."""
        issued_at = int(now.timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "jti": nonce,
            "iat": issued_at,
            "exp": issued_at + int(ASSERTION_LIFETIME.total_seconds()),
        }
        # `alg` and `typ` last: a profile's headers can't replace them.
        return f"{_encoded({**self.headers, 'alg': self.algorithm, 'typ': 'JWT'})}.{_encoded(claims)}"


def encode_signature(signature: bytes, algorithm: str) -> str:
    """Return the last part of a JWT."""
    return _base64url(_fixed_length(signature) if algorithm == "ES256" else signature)


def _fixed_length(der: bytes) -> bytes:
    """Turn the DER sequence of two integers, which KMS returns, into JWS's fixed length (RFC 7518 section 3.4)."""
    numbers = []
    rest = der[2:] if der[:2] == bytes([_DER_SEQUENCE, len(der) - 2 & 0xFF]) else b""
    while len(rest) > 2 and rest[0] == _DER_INTEGER:  # noqa: PLR2004 - tag and length
        numbers.append(int.from_bytes(rest[2 : 2 + rest[1]]))
        rest = rest[2 + rest[1] :]
    if len(numbers) != 2 or rest or max(numbers).bit_length() > 8 * _P256_BYTES:  # noqa: PLR2004 - r and s
        raise ConfigurationError("the key that CLIENT_KEY_ID names makes no ES256 signatures; use an ECC_NIST_P256 key")
    return b"".join(number.to_bytes(_P256_BYTES) for number in numbers)


def _secret(client: ClientCredentials, method: AuthMethod) -> str:
    if client.client_secret is None:
        raise ConfigurationError(
            f"the client authenticates with {method}, which needs a client secret, and there is none. Store "
            "clientSecret next to clientId, or set TOKEN_ENDPOINT_AUTH_METHOD to none if the client is public"
        )
    return client.client_secret.reveal()


def _basic(pair: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _encoded(part: Mapping[str, object]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
