"""How the client authenticates: one method a request, and a signed assertion that a verifier accepts."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import example, given
from hypothesis import strategies as st

from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.client_auth import Assertion, authenticate, encode_signature
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.stored.credentials import ClientCredentials

CLIENT = ClientCredentials(client_id="i d:", client_secret=SecretValue("p/w&"))
PUBLIC = ClientCredentials(client_id="id", client_secret=None)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def basic(method: AuthMethod) -> str:
    fields, headers = authenticate(CLIENT, method)
    assert {} == fields
    return base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()


def test_credentials_in_the_header() -> None:
    """client_secret_basic form-encodes both parts before it joins them, and puts neither into the fields."""
    assert "i+d%3A:p%2Fw%26" == basic(AuthMethod.BASIC)


def test_the_secret_as_user() -> None:
    """Stripe takes the secret key as the user, an empty password, and no identifier."""
    assert "p/w&:" == basic(AuthMethod.SECRET_AS_USER)


@pytest.mark.parametrize("client", [CLIENT, PUBLIC])
def test_a_public_client_sends_its_identifier_only(client: ClientCredentials) -> None:
    """Method none sends the identifier, and never a secret that happens to be there."""
    assert ({"client_id": client.client_id}, {}) == authenticate(client, AuthMethod.NONE)


def test_a_key_needs_no_secret() -> None:
    """private_key_jwt sends the identifier and the assertion's type (RFC 7523 section 2.2), and never a secret."""
    expected = {"client_id": "i d:", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}

    assert (expected, {}) == authenticate(CLIENT, AuthMethod.PRIVATE_KEY_JWT)


@pytest.mark.parametrize("method", [AuthMethod.POST, AuthMethod.BASIC, AuthMethod.SECRET_AS_USER])
def test_a_method_that_needs_a_secret_says_so(method: AuthMethod) -> None:
    """Without a client secret the request is refused before anything is claimed."""
    with pytest.raises(ConfigurationError, match=f"authenticates with {method}, which needs a client secret"):
        authenticate(PUBLIC, method)


ASSERTION = Assertion(client_id="id", audience="https://example.com/token", algorithm="ES256", headers={"kid": "k1"})


def test_an_assertion_has_the_claims_of_rfc_7523() -> None:
    """Issuer and subject are the client, and the assertion ends after five minutes."""
    header, claims = (json.loads(decoded(part)) for part in ASSERTION.to_sign(now=NOW, nonce="n1").split("."))

    assert {"alg": "ES256", "typ": "JWT", "kid": "k1"} == header
    assert claims == {
        "iss": "id",
        "sub": "id",
        "aud": "https://example.com/token",
        "jti": "n1",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 300,
    }


def test_a_profile_can_t_change_the_algorithm() -> None:
    """Further headers don't replace `alg`."""
    assertion = Assertion(client_id="id", audience="a", algorithm="RS256", headers={"alg": "none"})

    assert "RS256" == json.loads(decoded(assertion.to_sign(now=NOW, nonce="n").split(".")[0]))["alg"]


def test_a_verifier_accepts_an_es256_assertion() -> None:
    """KMS returns DER; JWS wants both numbers in 32 bytes each, and that is what a verifier gets."""
    key = ec.generate_private_key(ec.SECP256R1())
    to_sign = ASSERTION.to_sign(now=NOW, nonce="n1")

    encoded = encode_signature(key.sign(to_sign.encode(), ec.ECDSA(hashes.SHA256())), "ES256")

    raw = decoded(encoded)
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    key.public_key().verify(encode_dss_signature(r, s), to_sign.encode(), ec.ECDSA(hashes.SHA256()))


@example(r=1, s=2**256 - 1)
@example(r=0, s=0)
@given(r=st.integers(0, 2**256 - 1), s=st.integers(0, 2**256 - 1))
def test_every_pair_of_numbers_keeps_its_length(r: int, s: int) -> None:
    """Short and long numbers both fill 32 bytes."""
    assert r.to_bytes(32) + s.to_bytes(32) == decoded(encode_signature(encode_dss_signature(r, s), "ES256"))


@example(der=encode_dss_signature(2**256, 1))
@example(der=encode_dss_signature(1, 1)[:-1])
@example(der=encode_dss_signature(1, 1) + b"\0")
@example(der=b"\x30\x03\x02\x01\x01")
@example(der=b"")
@given(der=st.binary(max_size=80))
def test_what_is_not_an_ecdsa_signature_is_named(der: bytes) -> None:
    """A key of another kind is a wrong setting, whatever bytes it returns."""
    try:
        encoded = encode_signature(der, "ES256")
    except ConfigurationError as error:
        says = str(error)
    else:
        assert 64 == len(decoded(encoded))
        return
    assert says.startswith("the key that CLIENT_KEY_ID names makes no ES256 signatures")
