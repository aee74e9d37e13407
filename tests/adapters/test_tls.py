"""The token endpoint over TLS: a server that can't prove its name gets nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.provider.private_tls import Impostor, make_certificate
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import FailedRequest, FailureKind


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Impostor]:
    with Impostor(make_certificate(tmp_path / "certificate.pem")) as server:
        yield server


def test_a_certificate_that_nobody_signed_gets_no_token(impostor: Impostor) -> None:
    """The connection ends before the request, which counts as not sent."""
    endpoint = HttpTokenEndpoint(f"https://localhost:{impostor.server_address[1]}/token")

    response = endpoint.send(TokenRequest(fields={"refresh_token": "canary"}, headers={}), timeout_seconds=60)

    assert response == FailedRequest(
        kind=FailureKind.UNTRUSTED, seen="certificate not trusted: self-signed certificate"
    )
    assert endpoint.reach(timeout_seconds=60) == response
    assert not impostor.seen.is_set()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_profile_names_a_private_authority(impostor: Impostor, host: str) -> None:
    """Its certificates are good, for the names that they have."""
    pem = impostor.certificate.read_text(encoding="ascii")
    certificate = pem[pem.index("-----BEGIN CERTIFICATE") :]
    endpoint = HttpTokenEndpoint(f"https://{host}:{impostor.server_address[1]}/token", ca_certificates=certificate)

    unreached = endpoint.reach(timeout_seconds=60)
    endpoint.send(TokenRequest(fields={"refresh_token": "canary"}, headers={}), timeout_seconds=60)

    assert impostor.seen.is_set() == (host == "localhost")
    if host == "localhost":
        assert unreached is None
    else:
        assert unreached is not None
        assert unreached.seen.startswith("certificate not trusted: IP address mismatch")
