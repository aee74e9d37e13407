"""Faults, holds and authorizers: each does at the chosen call what it says, and at no other."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from testbed.aws.faults import Action, Call
from testbed.secrets_manager.server import SecretsManagerServer


def put(client: Any, number: int = 1) -> Any:
    return client.put_secret_value(SecretId="tokens", ClientRequestToken=str(number) * 32, SecretString="canary")


def stored(server: SecretsManagerServer, number: int = 1) -> bool:
    secret = server.secrets.find("tokens")
    return secret is not None and secret.version(str(number) * 32) is not None


@pytest.mark.parametrize(("action", "applied"), [("drop_before", False), ("drop_after", True)])
def test_a_connection_is_cut(server: SecretsManagerServer, client: Any, action: Action, *, applied: bool) -> None:
    """A call whose connection is cut looks the same to its client, applied or not."""
    server.fault(action, "PutSecretValue")

    with pytest.raises(ConnectionClosedError):
        put(client)

    assert applied == stored(server)
    assert [action] == [call.outcome for call in server.calls]


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


def test_a_fault_strikes_the_nth_call(server: SecretsManagerServer, client: Any) -> None:
    """A fault counts the calls of its operation alone, and strikes as often as it was set to."""
    server.fault("throttle", "PutSecretValue", nth=2, times=2)

    for number in range(1, 6):
        client.get_secret_value(SecretId="tokens")
        if number in {2, 3}:
            with pytest.raises(ClientError):
                put(client, number)
        else:
            put(client, number)


@pytest.mark.parametrize(("action", "seen"), [("hold_before", False), ("hold_after", True), ("delay", False)])
def test_a_call_is_held(server: SecretsManagerServer, client: Any, action: Action, *, seen: bool) -> None:
    """A held call waits before or after it is applied, holds up nobody else, and goes on when released."""
    hold = server.fault(action, "PutSecretValue", seconds=600)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(put, client)
        hold.wait()
        assert (seen, False) == (stored(server), call.done())
        put(client, 2)

        hold.release()

        assert "1" * 32 == call.result()["VersionId"]
    assert stored(server)


def test_a_held_call_is_dropped(server: SecretsManagerServer, client: Any) -> None:
    """A call held before it is applied can be dropped, as if its client had died before it was sent."""
    hold = server.fault("hold_before", "PutSecretValue")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(put, client)
        hold.wait()

        hold.release(apply=False)

        with pytest.raises(ConnectionClosedError):
            call.result()
    assert not stored(server)


def test_a_policy_is_enforced(server: SecretsManagerServer, client: Any) -> None:
    """An authorizer sees action, secret, region and labels of every call, and denies before it is applied."""
    seen: list[Call] = []

    def authorize(call: Call) -> str | None:
        seen.append(call)
        return "writes to AWSCURRENT" if "AWSCURRENT" in call.version_stages else None

    server.authorize = authorize
    denied = r"perform: secretsmanager:PutSecretValue on resource: arn:aws:.*:tokens-"
    with pytest.raises(ClientError, match=denied):
        client.put_secret_value(SecretId="tokens", SecretString="canary", VersionStages=["AWSCURRENT"])
    client.put_secret_value(SecretId="tokens", SecretString="canary", VersionStages=["REFRESH_CLAIM"])

    secret = server.secrets.find("tokens")
    assert secret is not None
    assert [(secret.arn, "eu-central-1", ("AWSCURRENT",)), (secret.arn, "eu-central-1", ("REFRESH_CLAIM",))] == [
        (call.arn, call.region, call.version_stages) for call in seen
    ]
    assert 2 == len(secret.versions)
