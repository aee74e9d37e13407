"""How a run ended: what its caller gets, and what its last log line and a fleet's row are made of."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from token_refresh.errors import TokenRefreshError
from token_refresh.records import record
from token_refresh.stored.times import iso
from token_refresh_worker.core.schedule import Policy, due_at
from token_refresh_worker.core.snapshot import TokenSet
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


@record
class CurrentTokens:
    """What a run knows of the current token set: no value of it."""

    version_id: str | None = None
    """None if the run did not read the secret."""
    expires_at: datetime | None = None
    due_at: datetime | None = None
    grant_ends_at: datetime | None = None
    """When the refresh token itself expires, where the provider says so."""
    grant_ending_at: datetime | None = None
    """When to say so."""

    @classmethod
    def of(cls, current: TokenSet, policy: Policy) -> Self:
        """Describe a token set."""
        document, origin = current.document, current.document.origin
        return cls(
            version_id=current.version_id,
            expires_at=document.expires_at,
            due_at=due_at(document, policy),
            grant_ends_at=origin.grant_ends_at if origin else None,
            grant_ending_at=origin.grant_ending_at if origin else None,
        )


@record
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

    @property
    def made_current(self) -> bool:
        """Whether the run made new tokens current."""
        return self.name in {OutcomeName.REFRESHED, OutcomeName.RECOVERED}

    @property
    def error_type(self) -> str | None:
        """How the run failed; None if it did not."""
        return type(self.error).__name__ if self.error else None

    def as_result(self, request_id: str | None) -> dict[str, str | None]:
        """Give what the invocation returns, if the run did not fail."""
        result = {
            "outcome": self.name,
            "secret_id": self.secret_id,
            "version_id": self.tokens.version_id,
            "expires_at": _iso(self.tokens.expires_at),
            "due_at": _iso(self.tokens.due_at),
            "request_id": request_id,
        }
        return result if self.retry_at is None else {**result, "retry_at": _iso(self.retry_at)}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
