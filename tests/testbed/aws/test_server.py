"""The server as a whole: its clock, its log, who may call, and how much it bears."""

import http.client
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError

from testbed.aws.faults import Call
from testbed.process import Child
from testbed.secrets_manager.server import SecretsManagerServer


def test_one_of_64_threads_wins(server: SecretsManagerServer, client: Any) -> None:
    """Of 64 threads that put different values under one version ID at once, one succeeds and 63 are refused."""
    barrier = Barrier(64)

    def contend(number: int) -> str:
        barrier.wait()
        try:
            client.put_secret_value(SecretId="tokens", ClientRequestToken="1" * 32, SecretString=f"thread {number}")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return f"thread {number}"

    with ThreadPoolExecutor(64) as pool:
        outcomes = Counter(pool.map(contend, range(64)))

    value = client.get_secret_value(SecretId="tokens", VersionId="1" * 32)["SecretString"]
    assert {"ResourceExistsException": 63, value: 1} == outcomes
    assert 65 == len(server.calls)


@pytest.mark.parametrize("by_control", [False, True], ids=["in process", "from another process"])
def test_the_clock_is_moved(server: SecretsManagerServer, client: Any, *, by_control: bool) -> None:
    """The clock that stamps versions and replies can be moved."""
    before = client.get_secret_value(SecretId="tokens")
    if by_control:
        command = {"command": "clock", "offset_seconds": 86_400}
        assert 200 == httpx.post(f"{server.url}/_control", json=command).status_code
    else:
        server.clock_offset_seconds += 86_400
    client.put_secret_value(SecretId="tokens", ClientRequestToken="1" * 32, SecretString="canary")

    after = client.get_secret_value(SecretId="tokens")

    assert (after["CreatedDate"] - before["CreatedDate"]).total_seconds() >= 86_400
    dates = [parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"]) for reply in (before, after)]
    assert (dates[1] - dates[0]).total_seconds() >= 86_400


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


def test_a_hook_runs_before_and_after(server: SecretsManagerServer, client: Any) -> None:
    """A hook runs before a call is applied and after it, so that a test can change the state in between."""
    seen: list[tuple[str, int]] = []

    def note(phase: str, _: Call) -> None:
        secret = server.secrets.find("tokens")
        seen.append((phase, len(secret.versions) if secret else 0))

    server.on_call = note
    client.put_secret_value(SecretId="tokens", SecretString="canary")

    assert [("before", 1), ("after", 2)] == seen


def test_the_log_keeps_no_value(server: SecretsManagerServer, client: Any) -> None:
    """The log has operation, version ID, label and outcome of every call in order, and no value."""
    client.put_secret_value(
        SecretId="tokens", ClientRequestToken="1" * 32, SecretString="canary", VersionStages=["DRAFT"]
    )
    with pytest.raises(ClientError):
        client.get_secret_value(SecretId="tokens", VersionStage="AWSPENDING")

    logged = [call.as_json() for call in server.calls]

    assert [
        ("PutSecretValue", "1" * 32, ("DRAFT",), "ok"),
        ("GetSecretValue", None, ("AWSPENDING",), "ResourceNotFoundException"),
    ] == [(call["operation"], call["version_id"], call["version_stages"], call["outcome"]) for call in logged]
    assert "canary" not in repr(server.calls)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{}", 400),
        ({"Authorization": "Credential=a/1/r/secretsmanager/aws4_request"}, b"[]", 400),
        ({"Content-Length": str(2 << 20)}, b"", 413),
    ],
    ids=["unsigned", "not an object", "huge"],
)
def test_a_malformed_request_is_refused(
    server: SecretsManagerServer, headers: dict[str, str], body: bytes, status: int
) -> None:
    """A request that the service would refuse before it looks at it is refused here too."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.putrequest("POST", "/")
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        connection.putheader(name, value)
    connection.endheaders(body)

    response = connection.getresponse()

    assert (status, True) == (response.status, "__type" in json.loads(response.read()))
    connection.close()


def test_threads_end_with_the_server() -> None:
    """Leaving the block ends every thread of the server, also of connections that clients keep alive."""
    before = threading.active_count()
    with SecretsManagerServer() as server:
        client = server.client()
        with pytest.raises(ClientError):
            client.get_secret_value(SecretId="tokens")
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join()
    client.close()

    assert before == threading.active_count()


def test_a_process_serves() -> None:
    """As a process of its own the server prints its address and serves until it is closed."""
    with Child("testbed.secrets_manager.server") as child:
        url = child.announced["url"]
        assert 400 == httpx.post(url, json={}).status_code

    with pytest.raises(httpx.ConnectError):
        httpx.post(url, json={})
