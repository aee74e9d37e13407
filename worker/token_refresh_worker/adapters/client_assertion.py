"""Client assertions, signed by AWS: with the client's own key in KMS, or by STS for the function's role.

No key ever leaves its service, and no assertion is kept: each request gets a new one.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import CallFailed, anything, call
from token_refresh.aws.clients import MakeClient
from token_refresh.aws.errors import named_error
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import member
from token_refresh_worker.oauth.client_auth import ASSERTION_LIFETIME, Assertion, encode_signature

_ALGORITHMS: Final = {
    "RS256": "RSASSA_PKCS1_V1_5_SHA_256",
    "PS256": "RSASSA_PSS_SHA_256",
    "ES256": "ECDSA_SHA_256",
}  # the names of JWS (RFC 7518 section 3.1) and of KMS


_Signed = TypeVar("_Signed", str, bytes)


class SigningError(Exception):
    """There is no signature; the text says why."""

    def __init__(self, text: str, *, is_transient: bool) -> None:
        super().__init__(text)
        self.is_transient = is_transient
        """Whether the same call may succeed in a moment."""


MakeAssertion = Callable[[Assertion], str]
"""Makes a signed client assertion; raises `SigningError` if there is no signature."""


class KmsSigner:
    """An asymmetric KMS key, by its ARN or alias; its `make_assertion` is a `MakeAssertion` (`private_key_jwt`)."""

    def __init__(self, key_id: str, client: MakeClient) -> None:
        self._key_id = key_id
        self._client = client

    def make_assertion(self, assertion: Assertion) -> str:
        """Sign, in the region of the key's ARN; see https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html.

        Raises:
            SigningError: KMS refused, or can't be reached.
            TokenRefreshError: There is no AWS region, the AWS configuration can't be used, or the key can't sign this.
        """
        to_sign = assertion.to_sign(now=datetime.now(UTC), nonce=secrets.token_urlsafe(24))
        return f"{to_sign}.{encode_signature(self._sign(to_sign.encode(), assertion.algorithm), assertion.algorithm)}"

    def _sign(self, message: bytes, algorithm: str) -> bytes:
        client = self._client("kms", region=arn_region(self._key_id))

        def sign() -> bytes:
            response = client.sign(
                KeyId=self._key_id,
                Message=message,
                MessageType="RAW",
                SigningAlgorithm=_ALGORITHMS[algorithm],
            )
            return member(response, "Signature", bytes)

        request = AwsRequest(
            action="kms:Sign",
            name=self._key_id,
            region=client.meta.region_name,
            kind="key",
            setting="CLIENT_KEY_ID",
            purpose=algorithm,
        )
        return _signed(sign, request)


class StsIdentity:
    """The caller's IAM role as STS states it; its `make_assertion` is a `MakeAssertion` (`aws_iam_jwt`)."""

    def __init__(self, client: MakeClient) -> None:
        self._client = client

    def make_assertion(self, assertion: Assertion) -> str:
        """Ask for a token that names the role, for one audience and five minutes.

        See https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html: `sub` is the role's ARN,
        and `iss` the account's own issuer.

        Raises:
            SigningError: STS refused, or can't be reached.
            TokenRefreshError: There is no AWS region, or the AWS configuration can't be used.
        """
        client = self._client("sts")
        request = AwsRequest(
            action="sts:GetWebIdentityToken",
            name=assertion.audience,
            region=client.meta.region_name,
            kind="audience",
            setting="CLIENT_ASSERTION_AUDIENCE",
            purpose=assertion.algorithm,
        )
        if not hasattr(client, "get_web_identity_token"):
            raise SigningError(
                f"the AWS SDK of this process does not know {request.action}, which AWS released in November 2025. Add "
                "a layer with a newer boto3 to the function",
                is_transient=False,
            )
        return _signed(lambda: _identity_token(client, assertion), request)


def _identity_token(client: Any, assertion: Assertion) -> str:
    response = client.get_web_identity_token(
        Audience=[assertion.audience],
        DurationSeconds=int(ASSERTION_LIFETIME.total_seconds()),
        SigningAlgorithm=assertion.algorithm,
    )
    return member(response, "WebIdentityToken", str)


def _signed(sign: Callable[[], _Signed], request: AwsRequest) -> _Signed:
    try:
        return call(sign, lambda: request, expected=anything)
    except CallFailed as failed:
        why, is_transient = named_error(failed.failure, request), failed.failure.cause.is_transient
    raise SigningError(str(why), is_transient=is_transient)
