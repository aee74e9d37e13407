"""Many real threads and tasks at once, the real client, a real HTTP store."""

import asyncio
import threading

import pytest

from testbed.reader_surroundings import Store, WallClock, at_once, runtime
from token_refresh.reader import SecretNotFound, TokenExpired, TokenReader

FIFTY = 50


@pytest.fixture(params=[False, True], ids=["inline", "background"])
def shared(request: pytest.FixtureRequest, store: Store, clock: WallClock) -> TokenReader:
    """Real threads, the test's time."""
    return TokenReader("tokens", client=store.client, background=request.param, runtime=runtime(clock))


def test_fifty_simultaneous_gets_make_one_call(store: Store, shared: TokenReader, clock: WallClock) -> None:
    """Fifty threads that find the cache empty, or their token expired, make one call, and share token or error."""
    errors = at_once(FIFTY, shared.get)
    assert {SecretNotFound} == {type(error) for error in errors}
    assert FIFTY == len({id(error) for error in errors})
    for reads, token in ((2, "one"), (3, "two")):
        store.put(token)
        clock.advance(3600)
        store.put(token)
        assert [token] * FIFTY == at_once(FIFTY, shared.get)
        assert reads == store.reads


@pytest.mark.parametrize("newest", ["one", "two"])
def test_fifty_simultaneous_rejections_make_one_call(store: Store, shared: TokenReader, newest: str) -> None:
    """Fifty threads that got a 401 learn from one call whether there is another token, and go on with it."""
    store.put("one")
    shared.get()
    if newest != "one":
        store.put(newest)
    assert [newest != "one"] * FIFTY == at_once(FIFTY, lambda: shared.reject("one"))
    assert (2, newest) == (store.reads, shared.get())


def test_fifty_tasks_make_one_call(store: Store, shared: TokenReader, clock: WallClock) -> None:
    """Fifty tasks of one event loop share one call for a miss, and one for an expiry without a newer token."""

    async def all_at_once() -> list[str | BaseException]:
        return await asyncio.gather(*(shared.aget() for _ in range(FIFTY)), return_exceptions=True)

    store.put("one")
    assert ["one"] * FIFTY == asyncio.run(all_at_once())
    assert 1 == store.reads
    clock.advance(3600)
    assert {TokenExpired} == {type(result) for result in asyncio.run(all_at_once())}
    assert 2 == store.reads


def test_event_loop_goes_on_while_the_store_is_slow(store: Store, shared: TokenReader) -> None:
    """While a read is held by the store, the loop runs other tasks; the read's own thread waits."""
    store.put("one")
    fault = store.server.fault("hold_before", "GetSecretValue")

    async def main() -> str:
        reading = asyncio.ensure_future(shared.aget())
        await asyncio.to_thread(fault.wait)
        assert not reading.done()
        fault.release()
        return await reading

    assert "one" == asyncio.run(main())


def test_soft_refresh_is_done_by_a_daemon_thread(store: Store, clock: WallClock) -> None:
    """A soft refresh runs in a thread that ends by itself and never keeps a process alive."""
    reader = TokenReader("tokens", client=store.client, runtime=runtime(clock))
    store.put("one")
    reader.get()
    clock.advance(3000)
    store.put("two")
    fault = store.server.fault("hold_before", "GetSecretValue")
    others = threading.enumerate()  # one of an earlier test may be about to end
    assert "one" == reader.get()
    fault.wait()
    (thread,) = [t for t in threading.enumerate() if t.name == "token-reader" and t not in others]
    assert thread.daemon
    fault.release()
    thread.join()
    assert "two" == reader.get()
