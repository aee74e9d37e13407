"""`aws_iam_jwt`: the function's role is the client, and no client secret exists anywhere."""

from collections.abc import Iterator

import pytest

from providers.imitation import CLIENT_ID
from providers.scene import Scene
from testbed.sts import ROLE, Sts
from token_refresh.errors import ConfigurationError

AUDIENCE = "api://AzureADTokenExchange"


@pytest.fixture
def sts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    """The provider expects an assertion in the place of a client secret, and the token secret has none."""
    scene.store(clientId=CLIENT_ID, clientSecret=None)
    scene.imitation.success["request"]["headers"] = {}
    scene.imitation.success["request"]["fields"] = [
        *("grant_type", "refresh_token", "client_id", "client_assertion_type", "client_assertion")
    ]
    monkeypatch.setenv("TOKEN_ENDPOINT_AUTH_METHOD", "aws_iam_jwt")
    monkeypatch.setenv("CLIENT_ASSERTION_AUDIENCE", AUDIENCE)
    with Sts() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{server.address}")
        yield server


def test_the_role_refreshes_without_a_client_secret(scene: Scene, sts: Sts, capfd: pytest.CaptureFixture[str]) -> None:
    """A refresh succeeds with an assertion that a verifier accepts: signature, issuer, audience, role, five minutes."""
    assert "refreshed" == scene.run()["outcome"]

    (fields,) = scene.imitation.received
    claims = sts.verify(fields["client_assertion"], AUDIENCE)
    assert (ROLE, 300) == (claims["sub"], claims["exp"] - claims["iat"])
    assert "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" == fields["client_assertion_type"]
    assert [] == scene.imitation.faults
    printed = capfd.readouterr()
    assert [] == [part for part in fields["client_assertion"].split(".") if part in printed.out + printed.err]


def test_an_algorithm_of_another_signer_is_refused(
    scene: Scene, sts: Sts, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """STS signs RS256 and ES384: a profile that wants another algorithm is refused before a claim."""
    folder = tmp_path_factory.mktemp("profiles")
    (folder / "crm.toml").write_text(
        f'title = "CRM"\nrotation = "always"\ngrace = 0\ntoken_endpoint = "{scene.imitation.url}"\n'
        '[request]\nauth = "aws_iam_jwt"\nassertion_algorithm = "PS256"\n'
        '[[evidence]]\nsays = "PS256"\nsource = "https://crm.example/docs"\non = 2026-11-27\n'
    )
    monkeypatch.setenv("PROVIDER_PROFILES", str(folder))
    monkeypatch.setenv("PROVIDER", "crm")

    error = scene.fail(ConfigurationError)

    assert "must be one of RS256, ES384" in str(error)
    assert [] == sts.asked
