"""Forks and SnapStart, with real processes and the real client."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
import snapshot_restore_py  # type: ignore[import-untyped] # ships no types
from coverage import Coverage

from testbed.reader_surroundings import Background, Store, WallClock, runtime
from token_refresh.reader import Runtime, SecretReader, TokenReader

LONG_SECONDS = 60


def in_child(work: Callable[[], str]) -> Callable[[], str]:
    """Do `work` in a forked child; give a function that waits for what it returned."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child leaves before this file's own coverage is written
        signal.alarm(LONG_SECONDS)  # a child that waits for what isn't there dies, and has no result
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - what went wrong is the child's result
            result = repr(error)
        measured = Coverage.current()
        if measured is not None:
            measured.save()
        os.write(write_end, result.encode())
        # Coverage saves in `os._exit`, once for each test without coverage that ran before: 20 seconds a test.
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(write_end)

    def result_of_child() -> str:
        with open(read_end, "rb") as pipe:  # noqa: PTH123 - a descriptor, no path
            result = pipe.read().decode()
        os.waitpid(child, 0)
        return result

    return result_of_child


@pytest.fixture(params=["given", "made"])
def reader(
    request: pytest.FixtureRequest, store: Store, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> TokenReader:
    """A reader with a client of the test's, or with its own."""
    for name, value in store.server.environment.items():
        monkeypatch.setenv(name, value)
    client = store.client if request.param == "given" else None
    return TokenReader("tokens", client=client, background=False, runtime=runtime(clock))


def test_child_serves_what_the_parent_read(store: Store, reader: TokenReader) -> None:
    """A forked child has its parent's token without a read."""
    store.put("one")
    reader.get()
    result = in_child(reader.get)
    assert ("one", 1) == (result(), store.reads)


def test_parent_and_children_read_at_once(store: Store, reader: TokenReader, clock: WallClock) -> None:
    """Parent and children that read at the same moment use separate connections, and none gets another's response."""
    store.put("one")
    reader.get()
    clock.advance(3600)
    store.put("two")
    faults = [store.server.fault("hold_before", "GetSecretValue", nth=nth) for nth in (1, 2, 3)]
    children = [in_child(reader.get) for _ in range(2)]
    mine: list[str] = []
    thread = threading.Thread(target=lambda: mine.append(reader.get()))
    thread.start()
    for fault in faults:
        fault.wait(LONG_SECONDS)  # three calls stand at the store at once, so no two share a connection
    for fault in faults:
        fault.release()
    thread.join()
    assert ["two"] * 3 == [child() for child in children] + mine
    assert 4 == store.reads


def test_child_of_a_parent_that_was_reading(store: Store, reader: TokenReader) -> None:
    """A child that is forked during another thread's read doesn't wait for it: that thread is not in the child."""
    store.put("one")
    fault = store.server.fault("hold_before", "GetSecretValue")
    thread = threading.Thread(target=reader.get)
    thread.start()
    fault.wait()
    result = in_child(reader.get)
    assert "one" == result()
    fault.release()
    thread.join()


def test_child_of_a_parent_that_held_the_lock(store: Store, reader: TokenReader) -> None:
    """A child that is forked while another thread holds the reader's lock gets a new lock."""
    store.put("one")
    with reader._cache._lock:  # noqa: SLF001 - the moment that this is about can't be met from outside
        result = in_child(reader.get)
        assert "one" == result()


@pytest.fixture
def snap_start(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make this process one of Lambda's with SnapStart; gives what restores it, as the runtime does."""
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "consumer")
    monkeypatch.setattr("token_refresh.reader.runtime._hooked", [])
    registry: list[tuple[Callable[..., None], tuple[object, ...], dict[str, object]]] = []
    monkeypatch.setattr(snapshot_restore_py, "_after_restore_registry", registry)

    def restore() -> None:
        assert 1 == len(registry)
        for function, args, options in registry:
            function(*args, **options)

    return restore


def test_restored(store: Store, clock: WallClock, snap_start: Callable[[], None]) -> None:
    """After a restore the next call reads the newest value, and an expired token isn't served without it, either."""
    reader = TokenReader("tokens", client=store.client, runtime=runtime(clock))
    store.put("one")
    reader.get()
    store.put("two")
    snap_start()
    assert ("two", 2) == (reader.get(), store.reads)
    store.put_text("text", secret_id="key")
    secret = SecretReader("key", client=store.client, runtime=runtime(clock))
    assert "text" == secret.text()
    clock.advance(1_000_000)
    store.put("three")
    assert "three" == reader.get()
    snap_start()
    assert "text" == secret.text()


def test_chance_differs_between_copies() -> None:
    """Copies of one process, whose `random` is in the same state, have different jitter."""
    draws = [in_child(lambda: str(Runtime().chance())) for _ in range(3)]
    assert 3 == len({draw() for draw in draws})
    assert all(0 <= Runtime().chance() < 1 for _ in range(100))


def test_defaults_are_the_machines_own(background: Background) -> None:
    """Unless a test says otherwise, time is the wall clock's and work runs in a thread."""
    done = threading.Event()
    runs = Runtime()
    runs.spawn(done.set)
    assert done.wait(LONG_SECONDS)
    assert runs.clock is time.time
    assert [] == background.waiting
