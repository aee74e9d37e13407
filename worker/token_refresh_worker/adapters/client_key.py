"""The client's private key, in AWS KMS: it signs assertions and never leaves the service."""

from collections.abc import Callable
from typing import Final

from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import CallFailed, anything, call
from token_refresh.aws.clients import MakeClient
from token_refresh.aws.errors import named_error
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import member

_ALGORITHMS: Final = {
    "RS256": "RSASSA_PKCS1_V1_5_SHA_256",
    "PS256": "RSASSA_PSS_SHA_256",
    "ES256": "ECDSA_SHA_256",
}  # the names of JWS (RFC 7518 section 3.1) and of KMS


class SigningError(Exception):
    """There is no signature; the text says why."""

    def __init__(self, text: str, *, is_transient: bool) -> None:
        super().__init__(text)
        self.is_transient = is_transient
        """Whether the same call may succeed in a moment."""


Sign = Callable[[bytes, str], bytes]
"""Signs a client assertion with an algorithm of JWS; raises `SigningError` if there is no signature."""


class KmsSigner:
    """An asymmetric KMS key, by its ARN or alias; its `sign` is a `Sign`."""

    def __init__(self, key_id: str, client: MakeClient) -> None:
        self._key_id = key_id
        self._client = client

    def sign(self, message: bytes, algorithm: str) -> bytes:
        """Sign, in the region of the key's ARN; see https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html.

        Raises:
            SigningError: KMS refused, or can't be reached.
            TokenRefreshError: There is no AWS region, or the AWS configuration can't be used.
        """
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
        try:
            return call(sign, lambda: request, expected=anything)
        except CallFailed as failed:
            why, is_transient = named_error(failed.failure, request), failed.failure.cause.is_transient
        raise SigningError(str(why), is_transient=is_transient)
