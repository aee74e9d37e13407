"""The network of a token request: after its time limit nothing is sent, and nothing waited for."""

import ssl
from typing import Any

import httpcore
import pytest

from token_refresh_worker.adapters import time_limit
from token_refresh_worker.adapters.time_limit import CONNECT_SECONDS, LATE_READS, LimitedNetwork, TimeLimit


class Stream(httpcore.NetworkStream):
    """Keeps what it was asked, with the time that it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.calls.append(("read", (max_bytes, timeout)))
        return b"x"

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.calls.append(("write", (buffer, timeout)))

    def close(self) -> None:
        self.calls.append(("close", None))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> "Stream":
        self.calls.append(("start_tls", (ssl_context, server_hostname, timeout)))
        return self

    def get_extra_info(self, info: str) -> Any:
        return f"{info} of the stream"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time_limit, "_now", lambda: now[0])
    return now


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    found = Stream()

    def connect_tcp(_: object, *arguments: Any) -> Stream:
        found.calls.append(("connect", arguments))
        return found

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_tcp)
    monkeypatch.setattr(time_limit, "addresses_of", lambda _: ["192.0.2.1"])
    return found


def test_each_step_has_the_time_that_is_left(clock: list[float], stream: Stream) -> None:
    """Whatever limit the client has for a step, the step gets what the request has left."""
    context = ssl.create_default_context()
    limit = TimeLimit(10.0)
    opened = LimitedNetwork(limit).connect_tcp("example.com", 443, 5.0)
    clock[0] += 1
    secured = opened.start_tls(context, "example.com", 5.0)
    clock[0] += 1
    secured.write(b"request", 5.0)
    clock[0] += 1
    assert b"x" == secured.read(9, 5.0)
    secured.close()

    assert [
        ("connect", ("192.0.2.1", 443, 10.0, None, None)),
        ("start_tls", (context, "example.com", 9.0)),
        ("write", (b"request", 8.0)),
        ("read", (9, 7.0)),
        ("close", None),
    ] == stream.calls
    assert "socket of the stream" == secured.get_extra_info("socket")


@pytest.mark.parametrize("late", [0.0, 3600.0])
def test_nothing_happens_after_the_end(clock: list[float], stream: Stream, late: float) -> None:
    """At the limit, or hours later in a process that was frozen, nothing is sent, and a read waits for nothing."""
    limit = TimeLimit(10.0)
    network = LimitedNetwork(limit)
    opened = network.connect_tcp("example.com", 443)
    stream.calls.clear()
    clock[0] += 10 + late

    with pytest.raises(httpcore.ConnectTimeout):
        network.connect_tcp("example.com", 443)
    with pytest.raises(httpcore.ConnectTimeout):
        opened.start_tls(ssl.create_default_context())
    with pytest.raises(httpcore.WriteTimeout):
        opened.write(b"token")
    assert [] == stream.calls
    # What has arrived is read; a server that floods us comes to an end.
    for _ in range(LATE_READS):
        opened.read(1)
    with pytest.raises(httpcore.ReadTimeout):
        opened.read(1)
    assert [("read", (1, 0.0))] * LATE_READS == stream.calls


def test_a_request_has_begun_with_its_first_byte(clock: list[float], stream: Stream) -> None:
    """Before the first write nothing can have arrived; from then on it may have."""
    limit = TimeLimit(clock[0])
    opened = LimitedNetwork(limit).connect_tcp("example.com", 80)
    begun = [limit.begun]
    opened.write(b"x")
    begun.append(limit.begun)
    assert [False, True] == begun
    assert ["connect", "write"] == [name for name, _ in stream.calls]


def test_a_connection_that_hangs_leaves_time_for_another(clock: list[float], stream: Stream) -> None:
    """Connecting has ten seconds, of however many there are; a request that has begun has all that is left."""
    limit = TimeLimit(80.0)
    opened = LimitedNetwork(limit).connect_tcp("example.com", 443)
    clock[0] += CONNECT_SECONDS

    with pytest.raises(httpcore.ConnectTimeout):
        opened.start_tls(ssl.create_default_context())
    with pytest.raises(httpcore.WriteTimeout):
        opened.write(b"token")

    in_time = TimeLimit(80.0)
    opened = LimitedNetwork(in_time).connect_tcp("example.com", 443)
    opened.write(b"token")
    clock[0] += 60.0
    opened.read(1)
    assert [("connect", 10.0), ("connect", 10.0), ("write", 80.0), ("read", 20.0)] == [
        (name, arguments[2 if name == "connect" else 1]) for name, arguments in stream.calls
    ]


def test_the_clock_counts_suspended_time() -> None:
    """The real clock is the one that goes on while the machine sleeps."""
    import time  # noqa: PLC0415 - only here

    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= time_limit._now() <= time.clock_gettime(time.CLOCK_BOOTTIME)  # noqa: SLF001 - the clock itself
