"""Calls that are held or delayed, before or after they are applied, until a test lets them go."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from testbed.callers.secrets_manager import ONE_TRY, put, stored
from testbed.secrets_manager.faults import Fault
from testbed.secrets_manager.server import SecretsManagerServer


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
    """A delayed call is not applied until the delay is over, or called off."""
    fault = server.fault("delay", "PutSecretValue", seconds=600)
    call = in_background(pool, client)
    fault.wait()
    seen = (stored(server), call.done())

    fault.release()

    assert (False, False) == seen
    assert "1" * 32 == call.result()["VersionId"]


def test_a_short_delay_ends_by_itself(server: SecretsManagerServer, client: Any) -> None:
    """A delay passes, and the call is answered as if nothing had been."""
    server.fault("delay", "PutSecretValue", seconds=0.2)
    began = time.monotonic()

    assert "1" * 32 == put(client)["VersionId"]
    assert time.monotonic() - began >= 0.2


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


def test_waiting_for_a_call_that_never_comes_fails() -> None:
    """Waiting for a fault that no call met says how many calls came."""
    fault = Fault(action="hold_before", operation="PutSecretValue", nth=3)
    fault.strikes("PutSecretValue")

    with pytest.raises(TimeoutError, match="PutSecretValue number 3: only 1 calls came"):
        fault.wait(0)
