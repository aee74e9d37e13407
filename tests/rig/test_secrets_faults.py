"""Faults: each does at the chosen call what it says, and at no other."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from rig.secrets_faults import Action, Call, Fault
from rig.secrets_manager import SecretsManagerServer

ONE_TRY = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def server() -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer() as made:
        made.call("CreateSecret", {"Name": "tokens", "ClientRequestToken": "0" * 32, "SecretString": "canary"})
        yield made


@pytest.fixture
def client(server: SecretsManagerServer) -> Iterator[Any]:
    made = server.client(config=ONE_TRY)
    yield made
    made.close()


def put(client: Any, number: int = 1) -> Any:
    return client.put_secret_value(SecretId="tokens", ClientRequestToken=str(number) * 32, SecretString="canary")


def stored(server: SecretsManagerServer, number: int = 1) -> bool:
    """Tell whether a version was stored, without a call that a fault could count."""
    secret = server.secrets.find("tokens")
    return secret is not None and secret.version(str(number) * 32) is not None


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


def in_background(pool: ThreadPoolExecutor, client: Any) -> Any:
    return pool.submit(put, client)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def test_a_call_is_held_before_it_is_applied(
    server: SecretsManagerServer, client: Any, pool: ThreadPoolExecutor
) -> None:
    """A call held before it is applied changes nothing until it is released."""
    hold = server.fault("hold_before", "PutSecretValue")
    call = in_background(pool, client)
    hold.wait()
    seen = stored(server)

    hold.release()

    assert not seen
    assert "1" * 32 == call.result()["VersionId"]
    assert stored(server)


def test_a_held_call_is_dropped(server: SecretsManagerServer, client: Any, pool: ThreadPoolExecutor) -> None:
    """A call held before it is applied can be dropped, as if its client had died before it was sent."""
    hold = server.fault("hold_before", "PutSecretValue")
    call = in_background(pool, client)
    hold.wait()

    hold.release(apply=False)

    with pytest.raises(ConnectionClosedError):
        call.result()
    assert not stored(server)


def test_a_call_is_held_after_it_was_applied(
    server: SecretsManagerServer, client: Any, pool: ThreadPoolExecutor
) -> None:
    """A call held after it was applied is stored while its client still waits."""
    hold = server.fault("hold_after", "PutSecretValue")
    call = in_background(pool, client)
    hold.wait()
    seen = (stored(server), call.done())

    hold.release()

    assert (True, False) == seen
    assert "1" * 32 == call.result()["VersionId"]


def test_others_go_on_while_a_call_is_held(server: SecretsManagerServer, client: Any, pool: ThreadPoolExecutor) -> None:
    """A held call holds up nobody else: it has no lock."""
    hold = server.fault("hold_before", "PutSecretValue")
    call = in_background(pool, client)
    hold.wait()
    other = server.client(config=ONE_TRY)

    put(other, 2)

    other.close()
    hold.release()
    call.result()
    assert stored(server, 2)


def test_a_call_is_delayed(server: SecretsManagerServer, client: Any, pool: ThreadPoolExecutor) -> None:
    """A delayed call is applied in the end, at once where the delay is called off."""
    fault = server.fault("delay", "PutSecretValue", seconds=600)
    call = in_background(pool, client)

    fault.release()

    assert "1" * 32 == call.result()["VersionId"]


def test_a_short_delay_ends_by_itself(server: SecretsManagerServer, client: Any) -> None:
    """A delay passes, and the call is answered as if nothing had been."""
    server.fault("delay", "PutSecretValue", seconds=0.01)

    assert "1" * 32 == put(client)["VersionId"]


def test_closing_the_server_frees_held_calls(pool: ThreadPoolExecutor) -> None:
    """A server that is closed drops the calls that it holds; none is applied afterwards."""
    with SecretsManagerServer() as server:
        server.call("CreateSecret", {"Name": "tokens", "ClientRequestToken": "0" * 32})
        client = server.client(config=ONE_TRY)
        hold = server.fault("hold_before", "PutSecretValue")
        call = in_background(pool, client)
        hold.wait()

    with pytest.raises(ConnectionClosedError):
        call.result()
    client.close()
    assert not stored(server)


def test_a_fault_that_nobody_knows_is_refused(server: SecretsManagerServer) -> None:
    """A misspelt fault is an error, not a fault that never strikes."""
    with pytest.raises(ValueError, match="no such fault: drop"):
        server.fault("drop")  # type: ignore[arg-type] # the point of the test


def test_waiting_for_a_call_that_never_comes_fails() -> None:
    """Waiting for a fault that no call met says how many calls came."""
    fault = Fault(action="hold_before", operation="PutSecretValue", nth=3)
    fault.strikes("PutSecretValue")

    with pytest.raises(TimeoutError, match="PutSecretValue number 3: only 1 calls came"):
        fault.wait(0)


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
