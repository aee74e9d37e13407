"""What a reader needs from its surroundings: time, threads and chance, for which tests pass their own.

It also tells readers of a fork or a restored snapshot: threads that held locks or ran reads are gone then.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakSet


def in_lambda() -> bool:
    """Whether this is Lambda, which freezes threads between invocations."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def start_thread(work: Callable[[], None]) -> None:
    """Do `work` in a thread that never keeps the process alive."""
    # A daemon: a service that ends must not wait for a read.
    threading.Thread(target=work, name="token-reader", daemon=True).start()


def chance() -> float:
    """Return a number from 0 to 1 that differs between copies of a process.

    Forks, and functions restored from one SnapStart snapshot, share the state of `random`. The kernel's they don't.
    """
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Runtime(NamedTuple):
    """The surroundings of a reader.

    Attributes:
        clock: Unix seconds by the wall clock. The monotonic clock of a frozen Lambda function stops; an expiry doesn't.
        spawn: Starts work in the background; may raise `RuntimeError` if that is impossible.
        chance: A number from 0 to 1, for jitter.
    """

    clock: Callable[[], float] = time.time
    spawn: Callable[[Callable[[], None]], None] = start_thread
    chance: Callable[[], float] = chance


class ForkAware:
    """An object that lives on in a forked child, or in a function restored from a snapshot."""

    def after_fork(self) -> None:
        """Drop what the parent's other threads held."""

    def after_restore(self) -> None:
        """Drop what was true only when the snapshot was taken."""


# Weak: a reader that its service dropped must not live on here.
_fork_aware: WeakSet[ForkAware] = WeakSet()
_hooked: list[str] = []  # what is registered in this process: SnapStart's hook must be registered once


def tell_of_forks(reader: ForkAware) -> None:
    """Tell `reader` of each fork and each restore, for as long as it lives."""
    _fork_aware.add(reader)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start" and not _hooked:
        _hooked.append("snap-start")
        # Lambda's Python runtimes bring this module, and nothing else needs it.
        from snapshot_restore_py import register_after_restore  # type: ignore[import-untyped] # noqa: PLC0415 - see above

        register_after_restore(_after_restore)


def _after_fork() -> None:
    # A list: the set may lose members while it is walked.
    for reader in list(_fork_aware):
        reader.after_fork()


def _after_restore() -> None:
    for reader in list(_fork_aware):
        reader.after_restore()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
