"""The client's private key, in AWS KMS: it signs assertions and never leaves the service."""

from typing import Any, Final, Protocol

from botocore.config import Config

from token_refresh.aws.causes import failure_of
from token_refresh.aws.clients import make_client
from token_refresh.aws.responses import member

_ALGORITHMS: Final = {
    "RS256": "RSASSA_PKCS1_V1_5_SHA_256",
    "PS256": "RSASSA_PSS_SHA_256",
    "ES256": "ECDSA_SHA_256",
}  # the names of JWS (RFC 7518 section 3.1) and of KMS

_CLIENT_CONFIG: Final = Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 1, "mode": "standard"})


class SigningError(Exception):
    """There is no signature; the text says why."""

    def __init__(self, text: str, *, passes: bool) -> None:
        super().__init__(text)
        self.passes = passes
        """Whether the same call may succeed in a moment."""


class Signer(Protocol):
    """Signs client assertions."""

    def sign(self, message: bytes, algorithm: str) -> bytes:
        """Sign with an algorithm of JWS.

        Raises:
            SigningError: There is no signature.
        """
        ...


class KmsSigner:
    """An asymmetric KMS key, by its ARN or alias; implements `Signer`."""

    def __init__(self, key_id: str) -> None:
        self._key_id = key_id

    def sign(self, message: bytes, algorithm: str) -> bytes:
        """Sign; see https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html."""
        try:
            client: Any = make_client("kms", region=None, config=_CLIENT_CONFIG)
            response = client.sign(
                KeyId=self._key_id,
                Message=message,
                MessageType="RAW",
                SigningAlgorithm=_ALGORITHMS[algorithm],
            )
            return member(response, "Signature", bytes)
        except Exception as error:  # noqa: BLE001 - a malformed response raises whatever its parser meets
            failure = failure_of(error)
            raise SigningError(
                f"kms:Sign with the key {self._key_id} (CLIENT_KEY_ID) failed ({failure.code}): check the key, its "
                f"type for {algorithm}, and that the function's role may use kms:Sign on it",
                passes=failure.cause.passes,
            ) from None
