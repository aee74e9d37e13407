"""The last log line of a run, which is also its metric."""

from collections.abc import Sequence
from datetime import datetime

from token_refresh.errors import ReauthorizationRequired
from token_refresh.stored.times import iso
from token_refresh_worker.run.metrics import metric_fields
from token_refresh_worker.run.outcome import Outcome, OutcomeName


def last_line(  # noqa: PLR0913 - what the report does not say, each by its name
    report: Outcome,
    *,
    trigger: str,
    secret_id: str,
    duration_ms: int,
    fleet: str | None = None,
    due_before: datetime | None = None,
) -> dict[str, object]:
    """Return the fields of a run's last line; what is not known is left out.

    `due_before` says when a fleet's secret was due, as its index knows it.
    """
    expires_at = report.tokens.expires_at
    seconds_to_expiry = round((expires_at - report.at).total_seconds()) if expires_at and report.at else None
    seconds_after_due = _seconds_after_due(report, due_before)
    known = {
        "secret_id": secret_id,
        "version_id": report.tokens.version_id,
        "foreign_version_id": report.foreign_version,
        "trigger": trigger,
        "duration_ms": duration_ms,
        "seconds_to_expiry": seconds_to_expiry,
        "attempts": report.requests,
        "provider": report.provider,
        "outcome": report.name,
        "paused": report.paused,
        "retry_at": iso(report.retry_at) if report.retry_at else None,
        "error_type": report.error_type,
        "error": str(report.error) if report.error else None,
    }
    metrics = {
        "Refreshed": int(report.name is OutcomeName.REFRESHED),
        "Recovered": int(report.name is OutcomeName.RECOVERED),
        "Superseded": int(report.name is OutcomeName.SUPERSEDED),
        "Failed": int(report.name is None),
        "ReauthorizationRequired": int(isinstance(report.error, ReauthorizationRequired)),
        # Only then, since a metric costs by the hours in which it is sent.
        "Paused": None if report.paused is None else 1,
        "DurationMs": duration_ms,
        "SecondsToExpiry": seconds_to_expiry,
        "SecondsAfterDue": seconds_after_due,
        # Without zeros: the metric costs something only where it says something.
        "ScopesLost": report.scopes_lost or None,
        "ForeignSets": 1 if report.foreign_version else None,
    }
    measured = {name: value for name, value in metrics.items() if value is not None}
    return {
        **{name: value for name, value in known.items() if value is not None},
        **measured,
        **metric_fields(_sent(measured, fleet), *_dimensions(secret_id, fleet, report.provider)),
    }


def _sent(measured: dict[str, int], fleet: str | None) -> dict[str, int]:
    """Return what CloudWatch keeps as a metric: it bills each one for every hour in which a value arrives.

    Of one secret: how long the token lives, and what happened. Lambda itself has the duration. A fleet pays once.
    """
    if fleet is not None:
        return measured
    return {
        name: value for name, value in measured.items() if name == "SecondsToExpiry" or (value and name != "DurationMs")
    }


def _seconds_after_due(report: Outcome, due_before: datetime | None) -> int | None:
    """Say how long after it was due a secret was refreshed; None if it was not."""
    if due_before is None or report.at is None or not report.made_current:
        return None
    return max(0, round((report.at - due_before).total_seconds()))


def _dimensions(secret_id: str, fleet: str | None, provider: str | None) -> Sequence[dict[str, str]]:
    if fleet is None:
        return [{"SecretId": secret_id}]
    # The fleet replaces the secret: metrics for each of 10,000 secrets cost too much. Both sets: CloudWatch adds up
    # nothing over a dimension.
    return [{"Fleet": fleet}] if provider is None else [{"Fleet": fleet}, {"Fleet": fleet, "Provider": provider}]
