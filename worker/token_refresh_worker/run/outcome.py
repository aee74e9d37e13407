"""How a run ended: what its caller gets, what a fleet's row is made of, and the last log line, also its metric.

A metric in a log line, in CloudWatch's Embedded Metric Format, needs no permission and no call:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from token_refresh.errors import ReauthorizationRequired, ResponseKept, SecretNotFound, TokenRefreshError
from token_refresh.stored.times import iso
from token_refresh_worker.core.schedule import Policy, due_at, grant_end, last_quarter_at
from token_refresh_worker.core.snapshot import Snapshot, TokenSet
from token_refresh_worker.core.steps import Reason


class OutcomeName(StrEnum):
    """How a run ended that did not fail, as its caller and the log get it. Alarms and dashboards know these values."""

    FRESH = "fresh"
    """Nothing was due."""
    REFRESHED = "refreshed"
    """This run received the tokens that are current."""
    RECOVERED = "recovered"
    """This run made tokens current that an interrupted run had stored. It sent no request."""
    SUPERSEDED = "superseded"
    """The provider rejected the refresh token, and newer tokens are current: something else refreshes this secret."""
    YIELDED = "yielded"
    """Another run holds the claim, or a backoff, a limit or a pause is not over; `retry_at` says until when."""
    WOULD_REFRESH = "would_refresh"
    """A dry run found tokens that are due."""
    WOULD_RECOVER = "would_recover"
    """A dry run found stored tokens that are not current."""


class CopyState(StrEnum):
    """How the published copy is, as far as a run knows."""

    CURRENT = "current"
    """It has the current access token."""
    OLDER = "older"
    """It has another one, or none yet."""
    UNREAD = "unread"
    """The run could not read it: nobody knows what it has."""
    MISSING = "missing"
    """There is no such secret."""

    @staticmethod
    def of(snapshot: Snapshot, failure: TokenRefreshError | None, *, is_unread: bool) -> "CopyState":
        """Compare what services read with the current access token; a version may differ in other keys alone."""
        if isinstance(failure, SecretNotFound):
            return CopyState.MISSING
        if is_unread:
            return CopyState.UNREAD
        read = snapshot.published.content.access_token if snapshot.published else None
        return CopyState.CURRENT if read and read == snapshot.current.document.access_token else CopyState.OLDER


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CurrentTokens:
    """What a run knows of the current token set: no value of it."""

    version_id: str | None = None
    """None if the run did not read the secret."""
    expires_at: datetime | None = None
    due_at: datetime | None = None
    last_quarter_at: datetime | None = None
    """When the last quarter of the refresh window begins, in which even a held refresh is attempted."""
    grant_ends_at: datetime | None = None
    """When the grant ends unless it is refreshed, as far as anybody knows."""
    grant_ending_at: datetime | None = None
    """When to say so."""

    @classmethod
    def of(cls, current: TokenSet, policy: Policy) -> Self:
        """Describe a token set."""
        document, end = current.document, grant_end(current.document, current.stored_at, policy)
        return cls(
            version_id=current.version_id,
            expires_at=document.expires_at,
            due_at=due_at(document, policy),
            last_quarter_at=last_quarter_at(document, policy),
            grant_ends_at=end and end.at,
            grant_ending_at=end and end.ending_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outcome:
    """How a run ended, whether it failed or not, and what it learned: no value of any secret."""

    name: OutcomeName | None = None
    """None if it failed."""
    error: TokenRefreshError | None = None
    retry_at: datetime | None = None
    """From when on another run may go on, if this one yielded."""
    reason: Reason | None = None
    """Why it yielded."""
    paused: str | None = None
    """Why an operator paused the refreshes, if it yielded to that."""
    secret_id: str | None = None
    tokens: CurrentTokens = CurrentTokens()
    at: datetime | None = None
    """By the clock of Secrets Manager; None if the run did not read the secret."""
    requests: int = 0
    """Token requests that the run sent."""
    scopes_lost: int = 0
    """How many scopes the grant had that its new tokens lack."""
    foreign_version: str | None = None
    """The version that the run found current, and that neither a run nor a command of ours stored."""
    provider: str | None = None
    host: str | None = None
    """The token host that settings and document give; None if the run did not come so far."""
    copy: CopyState | None = None
    """None if nothing is published, or the run did not read the secret."""
    copy_error: TokenRefreshError | None = None
    """Why the published copy could not be read or written; it says nothing about the refresh."""

    @property
    def made_current(self) -> bool:
        """Whether the run made new tokens current."""
        return self.name in {OutcomeName.REFRESHED, OutcomeName.RECOVERED}

    @property
    def error_type(self) -> str | None:
        """How the run failed; None if it did not."""
        return type(self.error).__name__ if self.error else None

    @property
    def is_refused(self) -> bool:
        """Whether Secrets Manager refused to read or to write the secret."""
        return self.error is not None and self.error.failed_at == "store"

    def as_result(self, request_id: str | None) -> dict[str, str | None]:
        """Return what the invocation returns, if the run did not fail."""
        result = {
            "outcome": self.name,
            "secret_id": self.secret_id,
            "version_id": self.tokens.version_id,
            "expires_at": iso_or_none(self.tokens.expires_at),
            "due_at": iso_or_none(self.tokens.due_at),
            "request_id": request_id,
        }
        return result if self.retry_at is None else {**result, "retry_at": iso_or_none(self.retry_at)}


def iso_or_none(moment: datetime | None) -> str | None:
    """Write a moment for machines, in whole seconds."""
    return None if moment is None else iso(moment.replace(microsecond=0))


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
    # A single secret's run fails with the copy's error, so that its last line has it.
    copy_error = report.copy_error if fleet else None
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
        "retry_at": iso_or_none(report.retry_at),
        "error_type": report.error_type,
        "error": str(report.error) if report.error else None,
        "copy": report.copy if fleet else None,
        "copy_error_type": type(copy_error).__name__ if copy_error else None,
        "copy_error": str(copy_error) if copy_error else None,
    }
    metrics = {
        "Refreshed": int(report.name is OutcomeName.REFRESHED),
        "Recovered": int(report.name is OutcomeName.RECOVERED),
        "Superseded": int(report.name is OutcomeName.SUPERSEDED),
        "Failed": int(report.name is None),
        # An unread response may hold the tokens; either way nothing is sent before a person looked.
        "ReauthorizationRequired": int(isinstance(report.error, ReauthorizationRequired | ResponseKept)),
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


NAMESPACE: Final = "TokenRefresh"


def metric_fields(metrics: Mapping[str, float], *dimensions: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of a log line that has metrics, whose names say their units; the log adds the time.

    CloudWatch keeps them under each set of dimensions; it adds up nothing over a dimension.
    """
    return {
        **metrics,
        **{name: value for names in dimensions for name, value in names.items()},
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(names) for names in dimensions],
                    "Metrics": [{"Name": name, "Unit": _unit(name)} for name in metrics],
                }
            ]
        },
    }


def _unit(name: str) -> str:
    if name.endswith("Ms"):
        return "Milliseconds"
    return "Seconds" if "Seconds" in name else "Percent" if "Percent" in name else "Count"
