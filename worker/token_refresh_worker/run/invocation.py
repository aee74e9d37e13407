"""One run of a function: event in, report out, and exactly one last log line either way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from token_refresh.errors import InternalError, ReauthorizationRequired, TokenRefreshError, raised_at
from token_refresh_worker.core.announcement import Announcement, Transition, transition_of_run
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.outcome import Outcome, last_line
from token_refresh_worker.run.ports import Clock, Log, SendEvent
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.settings import token_secret_id

Start = Callable[[], tuple[Trigger, Mapping[str, str]]]
"""Returns what starts a run, and its environment; it may raise."""

BuildRun = Callable[[Trigger, Mapping[str, str]], Run]
"""Puts a run together, from what starts it and its environment; it may raise."""


class FunctionLog(Log, Protocol):
    """The log of a function."""

    def error(self, event: str, **fields: object) -> object:
        """Log that a run failed."""


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Invocation:
    """One run, and what its last log line says."""

    secret_id: str
    """What the log names where even the environment can't be made."""
    clock: Clock
    log: FunctionLog
    build: BuildRun
    fleet: str | None = None
    _trigger: str = "on_demand"
    _run: Run | None = None

    def run(self, start: Start, *, secret_id: str | None = None, due_before: datetime | None = None) -> Outcome:
        """Run, and write the last log line. An error is reported, not raised.

        `start` gives what starts it, and its environment. In a fleet, the secret is given, and when it was due.
        """
        began = self.clock.monotonic()
        self.secret_id = secret_id or self.secret_id
        try:
            report = self._execute(*start())
        except TokenRefreshError as error:
            report = self._failed(error)
        except Exception as error:  # noqa: BLE001 - its text may hold a secret, and Lambda would print it
            what = (
                f"{raised_at(error)}: a defect of this program; nothing stored was lost, and the next run tries again"
            )
            report = self._failed(InternalError(what, fix="Please report it with this line"))
        # The last line, which is also the metric: at every level, exactly once.
        fields = last_line(
            report,
            trigger=self._trigger,
            secret_id=self.secret_id,
            duration_ms=round((self.clock.monotonic() - began) * 1000),
            fleet=self.fleet,
            due_before=due_before,
        )
        if report.name:
            self.log.info("token_refresh_finished", **fields)
        else:
            self.log.error("token_refresh_failed", **fields)
        return report

    def _execute(self, trigger: Trigger, variables: Mapping[str, str]) -> Outcome:
        self._trigger, self.secret_id = trigger.name, token_secret_id(variables)
        self._run = self.build(trigger, variables)
        # In a fleet the row says how the copy is: the tokens are stored, and no breaker is to count a missing copy.
        return self._run.execute() if self.fleet is None else self._run.conclude()

    def _failed(self, error: TokenRefreshError) -> Outcome:
        return self._run.outcome(error=error) if self._run else Outcome(error=error)

    def announce(self, report: Outcome, open_bus: Callable[[], SendEvent]) -> None:
        """Send the events that the run calls for. A failure is logged: the tokens are stored."""
        for event in _events_of(self._run, report) if self._run else ():
            try:
                open_bus()(event)
            except TokenRefreshError as error:
                self.log.warning("event_not_sent", transition=event.transition.value, error=str(error))


def _events_of(run: Run, report: Outcome) -> list[Announcement]:
    """Return the events that a run calls for. A fleet finds its events in its rows (`fleet/core/outcome.py`)."""
    # Only a request of this run shows a transition; a run that finds an old rejection would announce it again.
    memory, snapshot = run.memory, run.memory.snapshot
    rejected = isinstance(report.error, ReauthorizationRequired) and bool(memory.rejected)
    # Also if the run failed afterwards, to publish a copy: the next one finds nothing due.
    if snapshot is None or not (rejected or snapshot.current.version_id in memory.received | memory.recovered):
        return []
    of_grant = transition_of_run(snapshot, rejected=rejected, replaced=memory.replaced)
    shrunk = (Transition.SCOPES_SHRUNK, memory.service_now()) if report.scopes_lost else None
    return [
        Announcement(
            transition=transition,
            secret_id=run.parts.secret.secret_id,
            version_id=snapshot.current.version_id,
            provider=run.parts.provider.name,
            fleet=None,
            since=since,
        )
        for transition, since in filter(None, (of_grant, shrunk))
    ]
