"""What can go wrong at the AWS service of a test: faults at a chosen call, holds, and the log of what was asked.

A fault waits for the nth call of an operation, counted from when the fault was set, and then acts:

    drop_before   the connection is cut, the call is not applied
    drop_after    the call is applied, the connection is cut: the reply is lost
    throttle      ThrottlingException, not applied
    unavailable   InternalServiceError (HTTP 500), not applied
    deny          AccessDeniedException, not applied
    delay         the call is applied `seconds` late
    hold_before   the call waits until released, then is applied, or not
    hold_after    the call is applied, its reply waits until released

Holds let a test act at an exact boundary, such as killing the client, without sleeping.
"""

import threading
from dataclasses import dataclass, field
from typing import Literal

Action = Literal["drop_before", "drop_after", "throttle", "unavailable", "deny", "delay", "hold_before", "hold_after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a client asked, without any value."""

    operation: str
    region: str
    access_key_id: str
    secret_id: str | None
    arn: str | None
    version_id: str | None
    version_stages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """A call and its result: `ok`, the code of an error, or the fault that cut the connection."""

    call: Call
    outcome: str


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault that was set: `reached` tells when it acted, `release` ends a hold, `over` tells when it is over."""

    action: Action
    operation: str | None = None
    nth: int = 1
    times: int | None = 1
    seconds: float = 0.0
    seen: int = 0
    applies: bool = True
    reached: threading.Event = field(default_factory=threading.Event, repr=False)
    holding: threading.Event = field(default_factory=threading.Event, repr=False)
    released: threading.Event = field(default_factory=threading.Event, repr=False)
    over: threading.Event = field(default_factory=threading.Event, repr=False)

    def strikes(self, operation: str) -> bool:
        """Count a call, and tell whether the fault acts on it."""
        if self.operation not in (None, operation):
            return False
        self.seen += 1
        late = self.seen - self.nth
        return late >= 0 and (self.times is None or late < self.times)

    def wait(self, timeout_seconds: float = 120.0) -> None:
        """Return once the fault has acted: for a hold or a delay, once the call stands still.

        Raises:
            TimeoutError: The call never came.
        """
        if not self.reached.wait(timeout_seconds):
            raise TimeoutError(f"{self.action} at {self.operation} number {self.nth}: only {self.seen} calls came")

    def hold(self) -> None:
        """Stand still until released."""
        self.holding.set()
        self.reached.set()
        self.released.wait()

    def delay(self) -> None:
        """Stand still for so long, or until released."""
        self.reached.set()
        self.released.wait(self.seconds)

    def release(self, *, apply: bool = True) -> None:
        """Let a held call go on, and return once it is over; one held before it was applied can be dropped instead."""
        self.applies = apply
        self.released.set()
        if self.holding.is_set():
            self.over.wait()


class Faults:
    """The faults that are set, shared by all connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Set a fault; its calls are counted from now on."""
        with self._lock:
            self._set.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all faults; calls that are held are dropped."""
        with self._lock:
            for fault in self._set:
                fault.release(apply=False)
            self._set.clear()

    def striking(self, operation: str) -> Fault | None:
        """Count a call at every fault, and return the one that acts on it, the oldest first."""
        with self._lock:
            striking = [fault for fault in self._set if fault.strikes(operation)]
        return striking[0] if striking else None
