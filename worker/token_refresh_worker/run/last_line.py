"""The last log line of a run, which is also its metric."""

from dataclasses import dataclass
from datetime import datetime

from token_refresh.errors import ReauthorizationRequired
from token_refresh.stored.times import iso
from token_refresh_worker.run.metrics import metric_fields
from token_refresh_worker.run.outcome import Outcome, OutcomeName, RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLine:
    """What the last line says."""

    report: RunReport
    trigger: str
    secret_id: str
    duration_ms: int
    fleet: str | None = None
    """The fleet's name; it replaces the secret as dimension, since metrics for each of 10,000 secrets cost too much."""
    due_before: datetime | None = None
    """When a fleet's secret was due, as its index knows it."""

    @property
    def event(self) -> str:
        """Name the line."""
        return "token_refresh_finished" if self.report.outcome else "token_refresh_failed"

    def fields(self) -> dict[str, object]:
        """Give the line's fields; what is not known is left out."""
        report = self.report
        known = {
            "secret_id": self.secret_id,
            "version_id": report.tokens.version_id,
            "trigger": self.trigger,
            "duration_ms": self.duration_ms,
            "seconds_to_expiry": self._seconds_to_expiry,
            "attempts": report.requests,
            "provider": report.provider,
            "outcome": report.outcome,
            "retry_at": iso(report.retry_at) if report.retry_at else None,
            "error_type": report.error_type,
            "error": str(report.ended) if report.error_type else None,
        }
        return {
            **{name: value for name, value in known.items() if value is not None},
            **metric_fields(self._metrics(), *self._dimensions()),
        }

    @property
    def _seconds_to_expiry(self) -> int | None:
        at, expires_at = self.report.at, self.report.tokens.expires_at
        return round((expires_at - at).total_seconds()) if expires_at and at else None

    @property
    def _seconds_after_due(self) -> int | None:
        """How long after it was due a fleet's secret was refreshed."""
        at, ended = self.report.at, self.report.ended
        if self.due_before is None or at is None or not (isinstance(ended, Outcome) and ended.made_current):
            return None
        return max(0, round((at - self.due_before).total_seconds()))

    def _metrics(self) -> dict[str, int]:
        outcome = self.report.outcome
        metrics = {
            # Zeros too: without them an alarm could not tell a run without success from no run.
            "Refreshed": int(outcome is OutcomeName.REFRESHED),
            "Recovered": int(outcome is OutcomeName.RECOVERED),
            "Superseded": int(outcome is OutcomeName.SUPERSEDED),
            "Failed": int(outcome is None),
            "ReauthorizationRequired": int(isinstance(self.report.ended, ReauthorizationRequired)),
            "DurationMs": self.duration_ms,
        }
        measured = {"SecondsToExpiry": self._seconds_to_expiry, "SecondsAfterDue": self._seconds_after_due}
        return metrics | {name: value for name, value in measured.items() if value is not None}

    def _dimensions(self) -> list[dict[str, str]]:
        if self.fleet is None:
            return [{"SecretId": self.secret_id}]
        fleet, provider = {"Fleet": self.fleet}, self.report.provider
        # Both sets: CloudWatch adds up nothing over a dimension.
        return [fleet] if provider is None else [fleet, fleet | {"Provider": provider}]
