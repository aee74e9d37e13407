"""The server as a whole: atomic under real threads, wide enough for hundreds of clients, usable from outside."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from testbed.secrets_manager.control import SecretsManagerControl, secrets_manager_process
from testbed.secrets_manager.server import SecretsManagerServer

WIDE = Config(retries={"total_max_attempts": 1}, max_pool_connections=64)


@pytest.fixture
def server() -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer() as made:
        made.call("CreateSecret", {"Name": "tokens", "ClientRequestToken": "0" * 32, "SecretString": "first"})
        yield made


@pytest.fixture
def client(server: SecretsManagerServer) -> Iterator[Any]:
    made = server.client(config=WIDE)
    yield made
    made.close()


def test_one_of_64_threads_wins(server: SecretsManagerServer, client: Any) -> None:
    """Of 64 threads that put different values under one version ID at once, one wins, and 63 are told so."""
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

    stored = client.get_secret_value(SecretId="tokens", VersionId="1" * 32)["SecretString"]
    assert {"ResourceExistsException": 63, stored: 1} == outcomes
    assert 65 == len(server.calls)


def test_no_reader_sees_half_a_move(client: Any) -> None:
    """While 8 threads move labels about, every read finds each label on one version, and always a current one."""

    def write(thread: int) -> None:
        for number in range(10):
            for name, labels in (("claim", ["L"]), ("token", ["AWSCURRENT"])):
                version_id = f"{name}-{thread}{number}" * 4
                client.put_secret_value(
                    SecretId="tokens", ClientRequestToken=version_id, SecretString="x", VersionStages=labels
                )

    def read(_thread: int) -> list[list[str]]:
        described = [client.describe_secret(SecretId="tokens")["VersionIdsToStages"] for _ in range(20)]
        return [sorted(label for labels in stages.values() for label in labels) for stages in described]

    with ThreadPoolExecutor(8) as pool:
        writers, readers = pool.map(write, range(4)), pool.map(read, range(4))
        seen = {tuple(labels) for result in readers for labels in result}
        list(writers)

    known = [("AWSCURRENT",), ("AWSCURRENT", "L"), ("AWSCURRENT", "AWSPREVIOUS"), ("AWSCURRENT", "AWSPREVIOUS", "L")]
    assert seen <= set(known)


def test_500_clients_connect_at_once(server: SecretsManagerServer) -> None:
    """500 connections that come together are all accepted and answered."""
    netloc = urlsplit(server.url)
    sockets = [socket.create_connection((str(netloc.hostname), int(netloc.port or 0))) for _ in range(500)]
    request = b'POST /_control HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"command": "calls"}'

    for connection in sockets:
        connection.sendall(request)
    answers = [connection.recv(64).partition(b"\r\n")[0] for connection in sockets]

    for connection in sockets:
        connection.close()
    assert [b"HTTP/1.1 200 OK"] * 500 == answers


def request(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("POST", "/", body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, json.load(response)
    finally:
        connection.close()


def test_an_unsigned_request_is_refused(server: SecretsManagerServer) -> None:
    """A request without AWS credentials is refused, whatever it asks."""
    status, answer = request(server.url, b"{}", X_Amz_Target="secretsmanager.GetSecretValue")

    assert (400, "MissingAuthenticationTokenException") == (status, answer["__type"])


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(server: SecretsManagerServer, body: bytes) -> None:
    """A body that isn't a JSON object is refused as the service does, and is not quoted."""
    status, answer = request(server.url, body, X_Amz_Target="secretsmanager.GetSecretValue")

    assert (400, {"__type": "SerializationException"}) == (status, answer)


def test_a_huge_body_is_refused(server: SecretsManagerServer) -> None:
    """A body above a mebibyte isn't read."""
    status, _ = request(server.url, b"{}", Content_Length=str(1 << 21))

    assert 413 == status


def test_an_unknown_operation_is_refused(client: Any) -> None:
    """An operation that the server doesn't have is an error that names it, not an empty answer."""
    with pytest.raises(ClientError, match="This server does not know RotateSecret"):
        client.rotate_secret(SecretId="tokens")


@pytest.fixture(scope="module")
def control() -> Iterator[SecretsManagerControl]:
    with secrets_manager_process() as made:
        yield made


CLIENT = """
import sys, boto3
client = boto3.client("secretsmanager")
client.create_secret(Name=sys.argv[1], SecretString="first")
client.put_secret_value(SecretId=sys.argv[1], SecretString="second")
"""


@pytest.mark.parametrize(
    ("action", "apply", "labels"),
    [
        ("hold_before", False, {"AWSCURRENT"}),
        ("hold_before", True, {"AWSCURRENT", "AWSPREVIOUS"}),
        ("hold_after", True, {"AWSCURRENT", "AWSPREVIOUS"}),
    ],
    ids=["before it was sent", "while it was on its way", "before its reply came"],
)
def test_a_client_is_killed_at_a_boundary(
    control: SecretsManagerControl, action: Any, *, apply: bool, labels: set[str]
) -> None:
    """A client process is killed exactly at a call that the server holds, and what is stored is known."""
    secret = f"killed-{action}-{apply}"
    hold = control.fault(action, "PutSecretValue")

    command = [sys.executable, "-c", CLIENT, secret]
    with subprocess.Popen(command, env={**os.environ, **control.environment}) as process:  # noqa: S603 - it is ours
        control.wait(hold)
        process.send_signal(signal.SIGKILL)
    control.release(hold, apply=apply)

    client = control.client()
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    client.close()
    assert labels == {label for held in stages.values() for label in held}
    assert -signal.SIGKILL == process.returncode


def test_the_control_path_sets_clock_and_faults(control: SecretsManagerControl) -> None:
    """Another process can set the clock and faults, clear them, and read the log."""
    told = len(control.calls())
    fault = control.fault("throttle", times=None)
    control.set_clock_offset(3_600)

    status, answer = request(
        control.url,
        b'{"SecretId": "canary"}',
        X_Amz_Target="secretsmanager.GetSecretValue",
        Authorization="AWS4-HMAC-SHA256 Credential=AK/20261124/eu-west-1/secretsmanager/aws4_request, Signature=x",
    )
    control.wait(fault)
    control.clear()
    control.set_clock_offset(0)

    assert (400, "ThrottlingException") == (status, answer["__type"])
    assert [("GetSecretValue", "eu-west-1", "ThrottlingException")] == [
        (call["operation"], call["region"], call["outcome"]) for call in control.calls(since=told)
    ]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ({"command": "explode"}, "ValueError: no such command: explode"),
        ({"command": "release", "fault": 99, "apply": True}, "KeyError: 99"),
        ({"command": "fault", "action": "drop"}, "ValueError: no such fault: drop"),
    ],
)
def test_a_wrong_command_is_an_error(server: SecretsManagerServer, command: dict[str, Any], error: str) -> None:
    """A command that can't be carried out says why, so that no test goes on without its fault."""
    name = command.pop("command")

    with pytest.raises(RuntimeError, match=error):
        SecretsManagerControl(server.url).command(name, **command)


def test_the_process_ends_when_told(tmp_path: Any) -> None:
    """The process prints its URL as one JSON line, and ends cleanly on SIGTERM though a client is connected."""
    command = [sys.executable, "-m", "testbed.secrets_manager.server", "--region", "us-east-1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: S603 - it is ours
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        url = urlsplit(json.loads(process.stdout.readline())["url"])
        with socket.create_connection((str(url.hostname), int(url.port or 0))):
            process.terminate()
            rest = process.communicate(timeout=30)

    assert (0, (b"", b"")) == (process.returncode, rest)
