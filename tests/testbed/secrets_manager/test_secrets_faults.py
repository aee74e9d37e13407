"""Faults: each does at the chosen call what it says, and at no other."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from testbed.callers.secrets_manager import put, stored
from testbed.secrets_manager.faults import Action
from testbed.secrets_manager.server import SecretsManagerServer


def test_a_request_is_lost(server: SecretsManagerServer, client: Any) -> None:
    """A connection cut before the call was applied leaves nothing behind."""
    server.fault("drop_before", "PutSecretValue")

    with pytest.raises(ConnectionClosedError):
        put(client)

    assert not stored(server)
    assert ["drop_before"] == [call.outcome for call in server.calls]


def test_a_reply_is_lost(server: SecretsManagerServer, client: Any) -> None:
    """A connection cut after the call was applied looks the same to the client, and the version is stored."""
    server.fault("drop_after", "PutSecretValue")

    with pytest.raises(ConnectionClosedError):
        put(client)

    assert stored(server)
    assert ["drop_after"] == [call.outcome for call in server.calls]


@pytest.mark.parametrize(
    ("action", "code", "status"),
    [
        ("throttle", "ThrottlingException", 400),
        ("unavailable", "InternalServiceError", 500),
        ("deny", "AccessDeniedException", 400),
    ],
)
def test_a_call_is_refused(server: SecretsManagerServer, client: Any, action: Action, code: str, status: int) -> None:
    """A refusal reaches boto3 with the service's code and status, and applies nothing."""
    server.fault(action, "PutSecretValue")

    with pytest.raises(ClientError) as refused:
        put(client)

    response: Any = refused.value.response
    assert (code, status) == (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])
    assert not stored(server)
    assert [code] == [call.outcome for call in server.calls]


def test_a_denial_names_action_and_secret(server: SecretsManagerServer, client: Any) -> None:
    """A denial says which action on which ARN was denied, as the service does."""
    server.fault("deny", "PutSecretValue")

    with pytest.raises(ClientError, match=r"perform: secretsmanager:PutSecretValue on resource: arn:aws:.*:tokens-"):
        put(client)


def test_a_fault_strikes_the_nth_call(server: SecretsManagerServer, client: Any) -> None:
    """A fault counts the calls of its operation alone, and strikes as often as it was set to."""
    server.fault("throttle", "PutSecretValue", nth=2, times=2)

    outcomes = []
    for number in range(1, 6):
        client.get_secret_value(SecretId="tokens")
        try:
            put(client, number)
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
        else:
            outcomes.append("ok")

    assert ["ok", "ThrottlingException", "ThrottlingException", "ok", "ok"] == outcomes


def test_an_outage_lasts_until_it_is_cleared(server: SecretsManagerServer, client: Any) -> None:
    """A fault without an operation and an end strikes all calls until it is cleared."""
    server.fault("unavailable", times=None)
    for _ in range(3):
        with pytest.raises(ClientError):
            client.get_secret_value(SecretId="tokens")

    server.faults.clear()

    assert "canary" == client.get_secret_value(SecretId="tokens")["SecretString"]


def test_boto3_rides_out_a_lost_reply(server: SecretsManagerServer) -> None:
    """boto3 repeats a put whose reply was lost, with the same version ID, and the repeat is a no-op."""
    client = server.client()
    server.fault("drop_after", "PutSecretValue")

    response = put(client)

    client.close()
    assert ["AWSCURRENT"] == response["VersionStages"]
    assert ["drop_after", "ok"] == [call.outcome for call in server.calls]


def test_a_fault_that_nobody_knows_is_refused(server: SecretsManagerServer) -> None:
    """A misspelt fault is an error, not a fault that never strikes."""
    with pytest.raises(ValueError, match="no such fault: drop"):
        server.fault("drop")  # type: ignore[arg-type] # the point of the test
