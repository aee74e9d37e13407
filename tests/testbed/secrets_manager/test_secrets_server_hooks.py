"""What a test has of the server: its clock, its authorizer, its hook and its log; and no thread that outlives it."""

import threading
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from testbed.callers.secrets_manager import ONE_TRY, put, stored
from testbed.secrets_manager.faults import Call
from testbed.secrets_manager.server import SecretsManagerServer


def test_the_clock_is_set(server: SecretsManagerServer, client: Any) -> None:
    """The clock that stamps versions and replies can be ahead of or behind everyone else's."""
    before = client.get_secret_value(SecretId="tokens")
    server.clock_offset_seconds = 86_400
    put(client)

    after = client.get_secret_value(SecretId="tokens")

    assert (after["CreatedDate"] - before["CreatedDate"]).total_seconds() >= 86_400
    dates = [parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"]) for reply in (before, after)]
    assert (dates[1] - dates[0]).total_seconds() >= 86_400


def test_a_policy_is_enforced() -> None:
    """An authorizer sees action, secret, region, labels and caller of every call, and denies before it is applied."""
    seen: list[Call] = []

    def authorize(call: Call) -> str | None:
        seen.append(call)
        return "writes to AWSCURRENT" if "AWSCURRENT" in call.version_stages else None

    with SecretsManagerServer(authorize=authorize) as server:
        server.call("CreateSecret", {"Name": "tokens", "ClientRequestToken": "0" * 32})
        client = server.client(config=ONE_TRY)
        with pytest.raises(ClientError, match="AccessDeniedException"):
            client.put_secret_value(SecretId="tokens", SecretString="canary", VersionStages=["AWSCURRENT"])
        client.put_secret_value(SecretId="tokens", SecretString="canary", VersionStages=["REFRESH_CLAIM"])
        client.close()

    assert ["AWSCURRENT", "REFRESH_CLAIM"] == [label for call in seen for label in call.version_stages]
    secret = server.secrets.find("tokens")
    assert secret is not None
    assert ("PutSecretValue", "eu-central-1", "testing", "tokens", secret.arn) == (
        seen[0].operation,
        seen[0].region,
        seen[0].access_key_id,
        seen[0].secret_id,
        seen[0].arn,
    )
    assert 1 == len(secret.versions)


def test_a_hook_is_told_before_and_after(server: SecretsManagerServer, client: Any) -> None:
    """A hook runs before a call is applied and after it, so that a test can change the world in between."""
    told: list[tuple[str, bool]] = []
    server.on_call = lambda phase, _call: told.append((phase, stored(server)))

    put(client)

    assert [("before", False), ("after", True)] == told


def test_the_log_says_what_was_asked(server: SecretsManagerServer, client: Any) -> None:
    """The log has operation, label, version ID and outcome of every call in order, and no value."""
    client.put_secret_value(
        SecretId="tokens", ClientRequestToken="1" * 32, SecretString="canary", VersionStages=["AWSPENDING"]
    )
    client.get_secret_value(SecretId="tokens", VersionStage="AWSPENDING")
    client.update_secret_version_stage(SecretId="tokens", VersionStage="AWSPENDING", RemoveFromVersionId="1" * 32)
    with pytest.raises(ClientError):
        client.get_secret_value(SecretId="tokens", VersionStage="AWSPENDING")

    logged = [call.as_json() for call in server.calls]

    assert [
        ("PutSecretValue", "1" * 32, ("AWSPENDING",), "ok"),
        ("GetSecretValue", None, ("AWSPENDING",), "ok"),
        ("UpdateSecretVersionStage", "1" * 32, ("AWSPENDING",), "ok"),
        ("GetSecretValue", None, ("AWSPENDING",), "ResourceNotFoundException"),
    ] == [(call["operation"], call["version_id"], call["version_stages"], call["outcome"]) for call in logged]
    assert "canary" not in repr(server.calls)


def test_threads_end_with_the_server() -> None:
    """Leaving the block ends every thread of the server, also of connections that clients keep alive."""
    before = threading.active_count()
    with SecretsManagerServer() as server:
        client = server.client(config=ONE_TRY)
        with pytest.raises(ClientError):
            client.get_secret_value(SecretId="tokens")
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join()
    client.close()

    assert before == threading.active_count()
