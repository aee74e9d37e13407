"""One run of a function: event in, report out, and exactly one last log line either way."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from token_refresh.errors import InternalError, TokenRefreshError, raised_at
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.last_line import last_line
from token_refresh_worker.run.outcome import Outcome, RunReport
from token_refresh_worker.run.ports import Bus, Clock, Log
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.settings import token_secret_id

Start = Callable[[], tuple[Trigger, Mapping[str, str]]]
"""Gives what starts a run, and its environment; it may raise."""

BuildRun = Callable[[Trigger, Mapping[str, str], float], Run]
"""Puts a run together: from what starts it, its environment, and how many seconds it may take; it may raise."""


class FunctionLog(Log, Protocol):
    """The log of a function."""

    def error(self, event: str, **fields: object) -> object:
        """Log that a run failed."""
        ...


class Invocation:
    """One run, and what its last log line says."""

    def __init__(  # noqa: PLR0913 - what differs between single mode and fleet, each by its name
        self,
        *,
        time_left_seconds: float,
        secret_id: str,
        clock: Clock,
        log: FunctionLog,
        build: BuildRun,
        fleet: str | None = None,
    ) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._time_left_seconds = time_left_seconds
        self._log = log
        self._build = build
        self._fleet = fleet
        self._secret_id = secret_id
        self._trigger = Trigger(name="on_demand")
        self._run: Run | None = None

    def run(self, start: Start, *, secret_id: str | None = None, due_before: datetime | None = None) -> RunReport:
        """Run, and write the last log line. An error is reported, not raised.

        Args:
            start: Gives what starts the run, and its environment.
            secret_id: The secret that the log names where even the environment can't be made.
            due_before: When the secret was due, as a fleet's index knows it.
        """
        self._secret_id = secret_id or self._secret_id
        try:
            ended: Outcome | TokenRefreshError = self._execute(*start())
        except TokenRefreshError as error:
            ended = error
        except Exception as error:  # noqa: BLE001 - its text may hold a secret, and Lambda would print it
            ended = _defect(error)
        report = self._run.report(ended) if self._run else RunReport(ended=ended)
        self._write(report, due_before)
        return report

    def _execute(self, trigger: Trigger, variables: Mapping[str, str]) -> Outcome:
        self._trigger, self._secret_id = trigger, token_secret_id(variables)
        # A fleet has read the row by now, and perhaps the document; slow reads must not move the deadline.
        left_seconds = self._time_left_seconds - (self._clock.monotonic() - self._started)
        self._run = self._build(trigger, variables, left_seconds)
        return self._run.execute()

    def announce(self, report: RunReport, open_bus: Callable[[], Bus]) -> None:
        """Send the event that the run calls for, if it calls for one. A failure is logged: the tokens are stored."""
        # Imported here: few deployments have a bus.
        from token_refresh_worker.run.announcing import announcement_of  # noqa: PLC0415

        event = announcement_of(self._run, report.ended) if self._run else None
        if event is None:
            return
        try:
            open_bus().send(event)
        except TokenRefreshError as error:
            self._log.warning("event_not_sent", transition=event.transition.value, error=str(error))

    def _write(self, report: RunReport, due_before: datetime | None) -> None:
        """Write the last line, which is also the metric: at every level, exactly once."""
        fields = last_line(
            report,
            trigger=self._trigger.name,
            secret_id=self._secret_id,
            duration_ms=round((self._clock.monotonic() - self._started) * 1000),
            fleet=self._fleet,
            due_before=due_before,
        )
        if report.outcome:
            self._log.info("token_refresh_finished", **fields)
        else:
            self._log.error("token_refresh_failed", **fields)


def _defect(error: Exception) -> InternalError:
    """Say where a defect was raised, and of which type; not what the data was."""
    return InternalError(
        f"{raised_at(error)}: a defect of this program; nothing stored was lost, and the next run goes on. Please "
        "report it with this line"
    )
