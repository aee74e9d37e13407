"""What a run came to: what its caller gets, and the one log line that is also its metric."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from token_refresh.core.schedule import Policy, due_at
from token_refresh.errors import ReauthorizationRequired, TokenRefreshError
from token_refresh.stored.document import TokenDocument
from token_refresh.stored.times import iso

NAMESPACE: Final = "TokenRefresh"
_UNITS: Final = {"SecondsToExpiry": "Seconds", "DurationMs": "Milliseconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended that did not fail."""

    name: str
    secret_id: str
    version_id: str
    document: TokenDocument
    policy: Policy
    retry_at: datetime | None = None

    def as_result(self, request_id: str | None) -> dict[str, str | None]:
        """Give what the invocation returns: no value of any secret."""
        due = due_at(self.document, self.policy)
        result = {
            "outcome": self.name,
            "secret_id": self.secret_id,
            "version_id": self.version_id,
            "expires_at": _iso(self.document.expires_at),
            "due_at": _iso(due),
            "request_id": request_id,
        }
        return result if self.retry_at is None else {**result, "retry_at": _iso(self.retry_at)}


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
        }
        if isinstance(ended, Outcome):
            known |= {"outcome": ended.name, "retry_at": _iso(ended.retry_at)}
        else:
            known |= {"error_type": type(ended).__name__, "error": str(ended)}
        metrics = self._metrics()
        return {
            **{name: value for name, value in known.items() if value is not None},
            **metrics,
            "SecretId": self.secret_id,
            "_aws": {
                "Timestamp": timestamp_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [["SecretId"]],
                        "Metrics": [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in metrics],
                    }
                ],
            },
        }

    def _metrics(self) -> dict[str, int]:
        name = self.ended.name if isinstance(self.ended, Outcome) else None
        metrics = {
            "Refreshed": int(name == "refreshed"),
            "Recovered": int(name == "recovered"),
            "Superseded": int(name == "superseded"),
            "Failed": int(self.failed),
            "ReauthorizationRequired": int(isinstance(self.ended, ReauthorizationRequired)),
            "DurationMs": self.duration_ms,
        }
        return metrics if self.seconds_to_expiry is None else {**metrics, "SecondsToExpiry": self.seconds_to_expiry}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
