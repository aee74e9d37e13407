"""Work on many secrets at once, and no faster than an account's quota allows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Final

from token_refresh.errors import TokenRefreshError
from token_refresh_worker.run.ports import Clock

TAGS_PER_SECOND: Final = 40
"""`TagResource` and `UntagResource` share 50 a second in an account and region; others tag, too."""

THREADS: Final = 32
"""Four calls of up to 200 ms a secret fill 40 a second with this many."""

Ended = tuple[str, TokenRefreshError | None]


def paced(clock: Clock) -> Callable[..., None]:
    """Make what callers wait for before they tag: they go on one by one, evenly, however many wait."""
    lock, free_at = Lock(), 0.0

    def wait(**_request: object) -> None:
        nonlocal free_at
        with lock:
            now = clock.monotonic()
            turn = max(now, free_at)
            free_at = turn + 1 / TAGS_PER_SECOND
        clock.sleep(turn - now)

    return wait


@contextmanager
def paced_tags(client: Any, clock: Clock) -> Iterator[None]:
    """Let a client of Secrets Manager send 40 tags a second at most, with those that it repeats."""
    wait, events = paced(clock), client.meta.events
    # Before each request, and not each call: botocore repeats at once what was throttled.
    names = [f"before-send.secrets-manager.{action}" for action in ("TagResource", "UntagResource", "CreateSecret")]
    for name in names:
        events.register(name, wait)
    try:
        yield
    finally:
        for name in names:
            events.unregister(name, wait)


def run_in_threads(names: Sequence[str], act: Callable[[str], None], *, count: int = THREADS) -> Iterator[Ended]:
    """Act on each name, several at once, and yield each as it ends, with its error if it failed."""
    left, ended, stopped = iter(names), SimpleQueue[Ended | BaseException](), Event()

    def work() -> None:
        while not stopped.is_set() and (name := next(left, None)) is not None:
            try:
                act(name)
            except TokenRefreshError as error:
                ended.put((name, error))
            except BaseException as error:  # noqa: BLE001 - raised again where the threads are waited for
                stopped.set()
                ended.put(error)
            else:
                ended.put((name, None))

    # Daemons, unlike those of a pool: a second Ctrl-C ends the command, whatever is under way.
    threads = [Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for _ in names:
            found = ended.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        # After Ctrl-C, too: what is under way ends, and nothing new begins.
        stopped.set()
        for thread in threads:
            thread.join()
