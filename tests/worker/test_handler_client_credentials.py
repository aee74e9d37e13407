"""Where the handler finds the client's credentials, and what it says where it finds none."""

import json
import os
from typing import Any

import pytest

from token_refresh.errors import ClientRejected, ConfigurationError, InvalidSecretDocument
from worker.handler_stage import Stage


def test_client_credentials_are_read_from_their_own_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLIENT_SECRET_ID comes first, and is read afresh at each redemption: a new client secret needs no restart."""
    monkeypatch.setenv("CLIENT_SECRET_ID", "client")
    stage.store(clientSecret="stale")
    right = json.dumps({"client_id": stage.endpoint.client_id, "client_secret": stage.endpoint.client_secret})
    stage.client.create_secret(Name="client", SecretString=right)

    assert ["refreshed", "refreshed"] == [stage.invoke({"force": True})["outcome"] for _ in range(2)]
    read = [c for c in stage.server.calls if c.call.secret_id == "client" and c.call.operation == "GetSecretValue"]
    assert 2 == len(read)


def test_client_credentials_in_a_field(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLIENT_SECRET_ID may end in #field: the object in it has the credentials."""
    right = {"clientId": stage.endpoint.client_id, "clientSecret": stage.endpoint.client_secret}
    stage.store(clientSecret="stale")
    stored = {"upwork": right, "text": "canary", "empty": {}}
    stage.client.create_secret(Name="oauth", SecretString=json.dumps(stored))

    for field, says in (
        ("text", ": field text must be a JSON object; it is"),
        ("empty", " has no clientId in field empty"),
    ):
        monkeypatch.setenv("CLIENT_SECRET_ID", f"oauth#{field}")
        problem = str(stage.fail(InvalidSecretDocument, {"force": True}))
        assert f"secret oauth (CLIENT_SECRET_ID){says}" in problem
        assert "canary" not in problem
    monkeypatch.setenv("CLIENT_SECRET_ID", "oauth#upwork")
    assert "refreshed" == stage.invoke({"force": True})["outcome"]


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ({}, " has no clientId"),
        ({"SecretString": '{"clientSecret": "canary"}'}, " has no clientId"),
        ({"SecretString": "canary"}, ": the secret's value is not JSON"),
        ({"SecretBinary": b"canary"}, " is binary"),
    ],
)
def test_a_client_secret_without_usable_credentials_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, stored: dict[str, Any], says: str
) -> None:
    """The message says which secret to correct and what it must hold, and nothing is claimed."""
    monkeypatch.setenv("CLIENT_SECRET_ID", "client")
    stage.store()
    stage.client.create_secret(Name="client", **stored)

    assert f"secret client (CLIENT_SECRET_ID){says}" in str(stage.fail(InvalidSecretDocument))
    assert "PutSecretValue" not in [c.call.operation for c in stage.server.calls]


def test_client_credentials_in_the_environment_come_last(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any in the secrets, the environment's client credentials are used; they have no previous version."""
    monkeypatch.setenv("UPWORK_CLIENT_ID", stage.endpoint.client_id)
    monkeypatch.setenv("UPWORK_CLIENT_SECRET", "wrong")
    stage.store(clientId=None, clientSecret=None)
    stage.fail(ClientRejected)
    assert 1 == len(stage.endpoint.requests)
    stage.server.clock_offset_seconds += 2  # the service tells the time in whole seconds
    monkeypatch.setenv("UPWORK_CLIENT_SECRET", stage.endpoint.client_secret)

    assert "refreshed" == stage.invoke()["outcome"]


def test_client_credentials_that_are_nowhere_name_the_three_places(stage: Stage) -> None:
    """Without client credentials the error names all places where they may be."""
    stage.store(clientId=None, clientSecret=None)

    error = str(stage.fail(ConfigurationError))

    for place in ("CLIENT_SECRET_ID", "clientId and clientSecret in secret upwork-oauth-tokens", "UPWORK_CLIENT_ID"):
        assert place in error


def test_malformed_credentials_beside_the_tokens_name_their_secret(stage: Stage) -> None:
    """The message says which secret to correct."""
    stage.store(clientId=7)

    says = "secret upwork-oauth-tokens (TOKEN_SECRET_ID): clientId must be a string, and is a JSON number"
    assert says in str(stage.fail(InvalidSecretDocument))


def test_credentials_in_the_environment_that_are_no_text_are_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python reads bytes that are not UTF-8 as halves of surrogate pairs, which can't be sent."""
    monkeypatch.setenv("UPWORK_CLIENT_ID", os.fsdecode(b"\xff"))
    stage.store()

    assert "UPWORK_CLIENT_ID or UPWORK_CLIENT_SECRET can't be used" in str(stage.fail(ConfigurationError))
