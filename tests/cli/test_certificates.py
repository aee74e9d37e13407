"""A token endpoint whose certificate nobody here trusts: each command says so, and a profile repairs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.authorizing import Authorize
from cli.issuer import fill_template
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY
from testbed.provider.private_tls import Impostor, make_certificate

UNTRUSTED = "certificate not trusted: self-signed certificate"
REMEDY = "(ca_certificates)"


@pytest.fixture
def issuer(tmp_path: Path, environment: dict[str, str]) -> Iterator[Impostor]:
    """An issuer with a private authority, and a profile of one's own."""
    with Impostor(make_certificate(tmp_path / "certificate.pem")) as server:
        url = f"https://localhost:{server.server_address[1]}"
        profile = fill_template(url, f"{url}/authorize", f"{url}/token")
        (tmp_path / "my-idp.toml").write_text(profile, encoding="utf-8")
        environment.pop("TOKEN_ENDPOINT")
        environment |= {"PROVIDER": "my-idp", "PROVIDER_PROFILES": str(tmp_path)}
        yield server


def test_authorize_asks_for_no_consent_that_brings_nothing(authorize: Authorize, issuer: Impostor) -> None:
    """It finds out before the browser opens."""
    ended, pages = authorize(visits=())

    assert ended.code == 2
    assert f"can't be reached from here ({UNTRUSTED}), so a consent would bring no tokens" in ended.screen
    assert REMEDY in ended.screen
    assert f"token-refresh authorize {SECRET_ID}" in ended.screen
    assert pages == []
    assert not issuer.seen.is_set()


def test_doctor_and_a_refresh_name_the_certificate(cli: Cli, tokens: Tokens, issuer: Impostor) -> None:
    """Neither speaks of a network."""
    tokens.store(expires_in=DAY)

    looked, refreshed = cli("doctor"), cli("refresh", "--force")

    assert f"FAILED token endpoint: nothing could be sent from here ({UNTRUSTED})" in looked.screen
    assert REMEDY in looked.screen
    assert refreshed.code == 1
    assert f"did not prove who it is ({UNTRUSTED}, after 1 request)" in refreshed.screen
    assert "private authority's certificate, then run token-refresh refresh" in refreshed.screen
    assert not issuer.seen.is_set()


def test_a_profile_with_the_authority(cli: Cli, tokens: Tokens, issuer: Impostor, tmp_path: Path) -> None:
    """Its certificate is trusted; what is none is named with its key."""
    tokens.store(expires_in=DAY)
    profile, pem = tmp_path / "my-idp.toml", issuer.certificate.read_text(encoding="ascii")
    text = profile.read_text(encoding="utf-8")
    certificate = pem[pem.index("-----BEGIN CERTIFICATE") :]

    profile.write_text(f'ca_certificates = """{certificate}"""\n{text}', encoding="utf-8")
    assert "token endpoint: it issued tokens" not in cli("doctor").screen
    assert issuer.seen.is_set()

    profile.write_text(f'ca_certificates = "my-ca.pem"\n{text}', encoding="utf-8")
    assert "my-idp.toml: ca_certificates must be certificates in PEM" in cli("doctor").screen
