"""KMS with one asymmetric key, with which it signs, and one symmetric key, with which it encrypts; or it refuses."""

import base64
import functools
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from testbed.loopback import LoopbackHandler, LoopbackServer

_LONGEST_PLAINTEXT_BYTES = 4096


@functools.cache
def _signing_key() -> rsa.RSAPrivateKey:
    """One for a process: to generate it takes as long as twenty tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class KmsRefused(Exception):  # noqa: N818 - what KMS does
    """KMS refuses, with this error code."""


class Kms(LoopbackServer):
    """Signs and encrypts with real keys."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.key = _signing_key()
        self.symmetric = AESGCM(AESGCM.generate_key(256))
        self.keys: list[str] = []
        """The keys that were asked for, in turn."""
        self.actions: list[str] = []
        """The actions that were asked for, in turn."""
        self.contexts: list[dict[str, str]] = []
        """The encryption contexts, in turn."""
        self.refuses = False
        self.described = {"KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"}
        """What `DescribeKey` says; nothing if there is no such key."""

    @property
    def environment(self) -> dict[str, str]:
        """Return what leads a client here."""
        return {"AWS_ENDPOINT_URL_KMS": f"http://{self.address}"}

    def act(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Carry an action out.

        Raises:
            KmsRefused: KMS would refuse it.
        """
        self.keys.append(asked["KeyId"])
        self.actions.append(action)
        self.contexts.append(asked.get("EncryptionContext", {}))
        if self.refuses:
            raise KmsRefused("AccessDeniedException")
        # As in KMS: the context is authenticated, whatever the order of its keys.
        context = json.dumps(asked.get("EncryptionContext", {}), sort_keys=True).encode()
        match action:
            case "DescribeKey":
                if not self.described:
                    raise KmsRefused("NotFoundException")
                return {"KeyMetadata": {"KeyId": "1234", **self.described}}
            case "Sign":
                message = base64.b64decode(asked["Message"])
                return {"Signature": _encoded(self.key.sign(message, padding.PKCS1v15(), hashes.SHA256()))}
            case "Encrypt":
                text, nonce = base64.b64decode(asked["Plaintext"]), os.urandom(12)
                if not 0 < len(text) <= _LONGEST_PLAINTEXT_BYTES:
                    raise KmsRefused("ValidationException")
                return {"CiphertextBlob": _encoded(nonce + self.symmetric.encrypt(nonce, text, context))}
            case _:
                blob = base64.b64decode(asked["CiphertextBlob"])
                try:
                    return {"Plaintext": _encoded(self.symmetric.decrypt(blob[:12], blob[12:], context))}
                except (InvalidTag, ValueError):
                    raise KmsRefused("InvalidCiphertextException") from None

    def claims_of(self, assertion: str) -> dict[str, Any]:
        """Verify an assertion as a provider does; give its claims."""
        head, claims, signature = assertion.split(".")
        self.key.public_key().verify(
            _decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        found: dict[str, Any] = json.loads(_decoded(claims))
        return found


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class _Handler(LoopbackHandler):
    server: Kms

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        asked: dict[str, Any] = json.loads(self.read_body())
        action = self.headers["X-Amz-Target"].rpartition(".")[2]
        status: int
        response: dict[str, Any]
        try:
            status, response = 200, self.server.act(action, asked)
        except KmsRefused as refused:
            status, response = 400, {"__type": str(refused), "message": "no"}
        self.respond(status, json.dumps(response).encode(), {"Connection": "close"})
