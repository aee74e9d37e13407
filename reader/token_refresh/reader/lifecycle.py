"""Calls readers after a fork or a restored snapshot: the threads that held locks or ran reads are gone."""

import os
from typing import Protocol
from weakref import WeakSet


class Survivor(Protocol):
    """An object that lives on in a forked child, or in a function restored from a snapshot."""

    def after_fork(self) -> None:
        """Drop what the parent's other threads held."""
        ...

    def after_restore(self) -> None:
        """Drop what was true only when the snapshot was taken."""
        ...


# Weak: a reader that its service dropped must not live on here.
_survivors: WeakSet[Survivor] = WeakSet()
_hooked: list[str] = []  # what is registered in this process: SnapStart's hook must be registered once


def watch(survivor: Survivor) -> None:
    """Call `survivor` after each fork and each restore, for as long as it lives."""
    _survivors.add(survivor)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start" and not _hooked:
        _hooked.append("snap-start")
        # Lambda's Python runtimes bring this module, and nothing else needs it.
        from snapshot_restore_py import register_after_restore  # type: ignore[import-untyped] # noqa: PLC0415 - see above

        register_after_restore(_after_restore)


def _after_fork() -> None:
    # A list: the set may lose members while it is walked.
    for survivor in list(_survivors):
        survivor.after_fork()


def _after_restore() -> None:
    for survivor in list(_survivors):
        survivor.after_restore()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
