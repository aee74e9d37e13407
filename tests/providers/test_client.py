"""The client's credentials: two secrets while one is rotated, one secret for each provider, and a key in KMS."""

import json
from collections.abc import Iterator

import pytest

from providers.imitation import CLIENT_ID, CLIENT_SECRET
from providers.scene import Scene
from testbed.kms import Kms
from token_refresh.errors import ClientRejected, ConfigurationError

CLIENT = "client"
NEW_SECRET = "client-secret-2-that-the-provider-does-not-know-yet"


def credentials(secret: str) -> str:
    return json.dumps({"clientId": CLIENT_ID, "clientSecret": secret})


@pytest.fixture
def with_client_secret(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The client's credentials stand in a secret of their own."""
    monkeypatch.setenv("CLIENT_SECRET_ID", CLIENT)
    scene.store(clientId=None, clientSecret=None)
    scene.imitation.checks_client = True
    return scene


def test_the_previous_secret_is_tried_once(with_client_secret: Scene) -> None:
    """While the client secret is rotated, the provider may still want the previous one."""
    scene = with_client_secret
    scene.client.create_secret(Name=CLIENT, SecretString=credentials(CLIENT_SECRET))
    scene.client.put_secret_value(SecretId=CLIENT, SecretString=credentials(NEW_SECRET))

    assert "refreshed" == scene.run()["outcome"]

    assert [401, 200] == scene.imitation.statuses
    assert [] == scene.leaked()


@pytest.mark.parametrize(
    "versions",
    [
        [credentials(NEW_SECRET)],
        [credentials(NEW_SECRET), credentials(NEW_SECRET)],
        ["no JSON", credentials(NEW_SECRET)],
        [json.dumps({"clientId": CLIENT_ID}), credentials(NEW_SECRET)],
        [json.dumps({"clientId": "client-of-another-app", "clientSecret": CLIENT_SECRET}), credentials(NEW_SECRET)],
    ],
    ids=["none", "the same", "no JSON", "no secret", "another client"],
)
def test_without_another_secret_of_the_client_one_request_is_sent(
    with_client_secret: Scene, versions: list[str]
) -> None:
    """A previous version without another secret of the same client changes nothing."""
    scene = with_client_secret
    first, *later = versions
    scene.client.create_secret(Name=CLIENT, SecretString=first)
    for version in later:
        scene.client.put_secret_value(SecretId=CLIENT, SecretString=version)

    scene.fail(ClientRejected)

    assert [401] == scene.imitation.statuses


def test_each_provider_has_a_client_secret(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """`{provider}` in CLIENT_SECRET_ID stands for the provider's name."""
    monkeypatch.setenv("CLIENT_SECRET_ID", "clients/{provider}")
    scene.client.create_secret(Name="clients/upwork", SecretString=credentials(CLIENT_SECRET))
    scene.store(clientId=None, clientSecret=None)

    assert "refreshed" == scene.run()["outcome"]


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    with Kms() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://{server.address}")
        yield server


@pytest.mark.parametrize("scene", ["auth0"], indirect=True)
def test_a_key_that_can_not_sign_costs_nothing(scene: Scene, kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where KMS refuses, a run ends before it claims, as a dry run does; the next one after the repair refreshes."""
    monkeypatch.setenv("TOKEN_ENDPOINT_AUTH_METHOD", "private_key_jwt")
    monkeypatch.setenv("CLIENT_KEY_ID", "alias/client")
    scene.store(clientSecret=None)
    before, kms.refuses = scene.document(), True

    for event in ({}, {}, {"dry_run": True}):
        assert "could not be signed (kms:Sign on key alias/client" in str(scene.fail(ConfigurationError, **event))
    assert (before, []) == (scene.document(), scene.imitation.statuses)
    listed = scene.client.list_secret_version_ids(SecretId="tokens", IncludeDeprecated=True)
    assert 1 == len(listed["Versions"])

    kms.refuses = False
    asked = scene.imitation.success["request"]
    asked["fields"] = ["grant_type", "refresh_token", "client_id", "client_assertion_type", "client_assertion"]
    assert "refreshed" == scene.run()["outcome"]


@pytest.mark.parametrize("scene", ["auth0"], indirect=True)
def test_a_key_in_kms_authenticates_the_client(scene: Scene, kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole worker with private_key_jwt: the provider can verify the assertion, and no client secret exists."""
    monkeypatch.setenv("TOKEN_ENDPOINT_AUTH_METHOD", "private_key_jwt")
    monkeypatch.setenv("CLIENT_KEY_ID", "alias/client")
    scene.store(clientSecret=None)
    asked = scene.imitation.success["request"]
    asked["fields"] = ["grant_type", "refresh_token", "client_id", "client_assertion_type", "client_assertion"]
    scene.imitation.play("busy")

    assert "refreshed" == scene.run()["outcome"]

    assert ([], ["alias/client"] * 2) == (scene.imitation.faults, kms.keys)
    first, second = (fields["client_assertion"] for fields in scene.imitation.received)
    assert first != second
    expected = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": scene.imitation.url}
    assert expected.items() <= kms.claims_of(second).items()
    assert [] == scene.leaked()
