"""Where the handler finds the client's credentials, and what it says where it finds none."""

import json

import pytest

from token_refresh.errors import ConfigurationError, InvalidSecretDocument
from worker.stage import Stage


def test_client_credentials_are_read_from_their_own_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLIENT_SECRET_ID comes first, and is read afresh at each redemption: a new client secret needs no restart."""
    monkeypatch.setenv("CLIENT_SECRET_ID", "client")
    stage.store(clientSecret="stale")
    right = json.dumps({"client_id": stage.endpoint.client_id, "client_secret": stage.endpoint.client_secret})
    stage.client.create_secret(Name="client", SecretString=right)

    assert ["refreshed", "refreshed"] == [stage.invoke({"force": True})["outcome"] for _ in range(2)]
    read = [c for c in stage.server.calls if c.call.secret_id == "client" and c.call.operation == "GetSecretValue"]
    assert 2 == len(read)


@pytest.mark.parametrize("stored", ["{}", None, '{"clientSecret": "canary"}'])
def test_a_client_secret_without_an_identifier_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, stored: str | None
) -> None:
    """A client secret that is empty or has no identifier says what it must hold, with nothing claimed."""
    monkeypatch.setenv("CLIENT_SECRET_ID", "client")
    stage.store()
    stage.client.create_secret(Name="client", **({"SecretString": stored} if stored else {}))

    error = stage.fail(InvalidSecretDocument)

    assert "secret client (CLIENT_SECRET_ID) has no clientId" in str(error)
    assert "PutSecretValue" not in [c.call.operation for c in stage.server.calls]


def test_client_credentials_in_the_environment_come_last(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any in the secrets, the environment's client credentials are used."""
    monkeypatch.setenv("UPWORK_CLIENT_ID", stage.endpoint.client_id)
    monkeypatch.setenv("UPWORK_CLIENT_SECRET", stage.endpoint.client_secret)
    stage.store(clientId=None, clientSecret=None)

    assert "refreshed" == stage.invoke()["outcome"]


def test_client_credentials_that_are_nowhere_name_the_three_places(stage: Stage) -> None:
    """Without client credentials the error names all places where they may be."""
    stage.store(clientId=None, clientSecret=None)

    error = str(stage.fail(ConfigurationError))

    for place in ("CLIENT_SECRET_ID", "clientId and clientSecret in the token secret", "UPWORK_CLIENT_ID"):
        assert place in error
