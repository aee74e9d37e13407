"""How a run ended: what its caller gets, and the one log line that is also its metric."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from token_refresh.errors import ReauthorizationRequired, TokenRefreshError
from token_refresh.stored.times import iso
from token_refresh_worker.core.schedule import Policy, due_at
from token_refresh_worker.stored.document import TokenDocument

NAMESPACE: Final = "TokenRefresh"
_UNITS: Final = {"SecondsToExpiry": "Seconds", "SecondsAfterDue": "Seconds", "DurationMs": "Milliseconds"}


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
    """Another run holds the claim, or a backoff or a limit is not over; `retry_at` says until when."""
    WOULD_REFRESH = "would_refresh"
    """A dry run found tokens that are due."""
    WOULD_RECOVER = "would_recover"
    """A dry run found stored tokens that are not current."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended that did not fail."""

    name: OutcomeName
    secret_id: str
    version_id: str
    document: TokenDocument
    policy: Policy
    retry_at: datetime | None = None

    @property
    def made_current(self) -> bool:
        """Whether the run made new tokens current."""
        return self.name in {OutcomeName.REFRESHED, OutcomeName.RECOVERED}

    def as_result(self, request_id: str | None) -> dict[str, str | None]:
        """Give what the invocation returns: no value of any secret."""
        result = {
            "outcome": self.name.value,
            "secret_id": self.secret_id,
            "version_id": self.version_id,
            "expires_at": _iso(self.document.expires_at),
            "due_at": _iso(due_at(self.document, self.policy)),
            "request_id": request_id,
        }
        return result if self.retry_at is None else {**result, "retry_at": _iso(self.retry_at)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run learned, whether it failed or not."""

    at: datetime
    """By the clock of Secrets Manager."""
    requests: int = 0
    """Token requests that the run sent."""
    provider: str | None = None
    version_id: str | None = None
    """Like the provider, None if the run did not read the secret."""
    expires_at: datetime | None = None
    due_at: datetime | None = None
    grant_ends_at: datetime | None = None
    grant_ending_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the last line of a run says."""

    trigger: str
    secret_id: str
    duration_ms: int
    attempts: int
    """Token requests that the run sent."""
    ended: Outcome | TokenRefreshError
    version_id: str | None
    seconds_to_expiry: int | None
    provider: str | None = None
    fleet: str | None = None
    """The fleet's name; it replaces the secret as dimension, since metrics for each of 10,000 secrets cost too much."""
    seconds_after_due: int | None = None
    """How long after it was due a fleet's secret was refreshed."""

    @property
    def event(self) -> str:
        """Name the line."""
        return "token_refresh_failed" if self.failed else "token_refresh_finished"

    @property
    def failed(self) -> bool:
        """Whether the run ended with an error."""
        return isinstance(self.ended, TokenRefreshError)

    def fields(self, timestamp_ms: int) -> dict[str, object]:
        """Give the line's fields, in CloudWatch's Embedded Metric Format; what is not known is left out."""
        ended = self.ended
        known: dict[str, object | None] = {
            "secret_id": self.secret_id,
            "version_id": self.version_id,
            "trigger": self.trigger,
            "duration_ms": self.duration_ms,
            "seconds_to_expiry": self.seconds_to_expiry,
            "attempts": self.attempts,
            "provider": self.provider,
        }
        if isinstance(ended, Outcome):
            known |= {"outcome": ended.name.value, "retry_at": _iso(ended.retry_at)}
        else:
            known |= {"error_type": type(ended).__name__, "error": str(ended)}
        metrics = self._metrics()
        dimensions = self._dimensions()
        return {
            **{name: value for name, value in known.items() if value is not None},
            **metrics,
            **{name: value for names in dimensions for name, value in names.items()},
            "_aws": {
                "Timestamp": timestamp_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [list(names) for names in dimensions],
                        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in metrics],
                    }
                ],
            },
        }

    def _metrics(self) -> dict[str, int]:
        name = self.ended.name if isinstance(self.ended, Outcome) else None
        metrics = {
            # Zeros too: without them an alarm could not tell a run without success from no run.
            "Refreshed": int(name is OutcomeName.REFRESHED),
            "Recovered": int(name is OutcomeName.RECOVERED),
            "Superseded": int(name is OutcomeName.SUPERSEDED),
            "Failed": int(self.failed),
            "ReauthorizationRequired": int(isinstance(self.ended, ReauthorizationRequired)),
            "DurationMs": self.duration_ms,
        }
        measured = {"SecondsToExpiry": self.seconds_to_expiry, "SecondsAfterDue": self.seconds_after_due}
        return metrics | {name: value for name, value in measured.items() if value is not None}

    def _dimensions(self) -> list[dict[str, str]]:
        if self.fleet is None:
            return [{"SecretId": self.secret_id}]
        fleet = {"Fleet": self.fleet}
        # Both sets: CloudWatch adds up nothing over a dimension.
        return [fleet] if self.provider is None else [fleet, fleet | {"Provider": self.provider}]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
