"""KMS with one asymmetric key: it signs with it, or refuses."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from testbed.loopback import LoopbackHandler, LoopbackServer


class Kms(LoopbackServer):
    """Signs with a real key."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.keys: list[str] = []
        """The keys that were asked for, in turn."""
        self.refuses = False

    def claims_of(self, assertion: str) -> dict[str, Any]:
        """Verify an assertion as a provider does; give its claims."""
        head, claims, signature = assertion.split(".")
        self.key.public_key().verify(
            _decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        found: dict[str, Any] = json.loads(_decoded(claims))
        return found


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class _Handler(LoopbackHandler):
    server: Kms

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        asked: dict[str, Any] = json.loads(self.read_body())
        self.server.keys.append(asked["KeyId"])
        if self.server.refuses:
            status, response = 400, {"__type": "AccessDeniedException", "message": "no"}
        else:
            signature = self.server.key.sign(base64.b64decode(asked["Message"]), padding.PKCS1v15(), hashes.SHA256())
            status, response = 200, {"Signature": base64.b64encode(signature).decode()}
        self.respond(status, json.dumps(response).encode(), {"Connection": "close"})
