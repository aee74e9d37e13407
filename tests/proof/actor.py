"""A run of the real worker in a thread of its own, which waits for the reply to each of its calls."""

import threading
from typing import NamedTuple, Protocol

from proof.ports import Call, Ended, Ports, build_run, settle
from proof.store import Append, Move, Put, Read, Record, refresh_token_of
from proof.world import Scenario
from token_refresh.errors import TokenRefreshError, without_traceback


class HasTime(Protocol):
    """What a run lives in."""

    now: float
    scenario: Scenario


class Sleep(NamedTuple):
    """The run waits."""

    seconds: float


class Killed(BaseException):
    """Lambda ends the process."""


class Actor(Ports):
    """One run in a thread of its own."""

    def __init__(self, history: HasTime, *, behind: float | None, offset: float, late_from: int, dies_at: int) -> None:
        super().__init__(0)
        self._history = history
        self.scenario = history.scenario
        self.behind = behind
        """How old all of its reads are; None where each is of another age."""
        self.offset = offset
        """By how much its clocks are ahead of the true time, where they are the same for all of its calls."""
        self.late_from = late_from
        """From which call on its writes land late."""
        self.dies_at = dies_at
        """At which call it dies."""
        self.calls = 0
        self.ended: Ended | None = None
        self.over = False
        self.call: Call | Sleep | None = None
        self._reply: object = None
        self._asked, self._replied = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, daemon=True)

    def begin(self) -> None:
        """Start, and go on to the first call."""
        self._thread.start()
        self._asked.acquire()

    def go_on(self, reply: object) -> None:
        """Reply to the call, and go on to the next."""
        self._reply = reply
        self._replied.release()
        self._asked.acquire()

    def end(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def monotonic(self) -> float:
        """Return the true time."""
        return self._history.now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.ask(Sleep(seconds))  # type: ignore[arg-type]  # only a history knows it

    def ask(self, call: Call) -> object:
        """Return the reply to a call."""
        self.call = call
        self._asked.release()
        self._replied.acquire()
        if isinstance(self._reply, TokenRefreshError):
            raise without_traceback(self._reply)
        if isinstance(self._reply, Killed):
            raise self._reply
        return self._reply

    def _live(self) -> None:
        try:
            self.ended = settle(build_run(self.scenario, self, "s"))
        except Killed:
            self.ended = Ended("killed", named=True)
        self.over = True
        self._asked.release()


def words(call: object) -> str:
    """Say what a run calls."""
    match call:
        case Put(_, version_id, text, label):
            return f"put {label} {version_id[:8]}{' (tokens)' if refresh_token_of(text) else ''}"
        case Move(_, label, to, _):
            return f"move {label} to {str(to)[:8]}"
        case Append(item, _):
            return f"claim {item.claim_id[:8]} in the table"
        case Record(claim_id, _):
            return f"record of {claim_id[:8]}"
        case Read(_, label, version_id):
            return f"read {label or str(version_id)[:8]}"
        case _:
            return str(call)
