"""A token endpoint over TLS, whose certificate no public authority signed."""

import datetime as dt
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from testbed.loopback import LoopbackHandler, LoopbackServer


class Impostor(LoopbackServer):
    """Has a certificate for localhost that no public authority signed, and keeps what it is sent."""

    def __init__(self, certificate: Path) -> None:
        super().__init__(_Handler)
        self.certificate = certificate
        self.seen = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Expect the client's refusal, which ends the handshake."""
        if not isinstance(sys.exception(), ssl.SSLError):
            super().handle_error(request, client_address)


class _Handler(LoopbackHandler):
    server: Impostor

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.server.seen.set()
        self.respond(200, b"{}", {})


def make_certificate(file: Path) -> Path:
    """Write a key and a certificate for localhost, which its own key signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return file
