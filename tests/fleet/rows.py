"""Rows for tests, with everything that a test is not about set to something plausible."""

from datetime import datetime, timedelta
from typing import Any

from testbed.builders import HOUR, NOW
from token_refresh import errors
from token_refresh.stored.refresh_window import refresh_window
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.fleet.core.breaker import Breaker, BreakerReason
from token_refresh_worker.fleet.core.row import Change, LastRequest, LastRun, Pause, Row, State
from token_refresh_worker.run.outcome import CurrentTokens, Outcome, OutcomeName

WINDOW = refresh_window(HOUR, HOUR)
"""The refresh window of a one-hour token."""
HOST = "identity.example"


def arn(name: str) -> str:
    return f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-AbCdEf"


def seen(
    *,
    at: datetime = NOW - HOUR,
    error_type: str | None = None,
    requests: int = 1,
    failures: int = 0,
    host: str | None = HOST,
    expires_at: datetime | None = NOW + WINDOW,
    due_at: datetime | None = NOW,
    **known: Any,
) -> LastRun:
    """By default a one-hour token that is due at NOW."""
    grant = {name: known.pop(name, None) for name in ("grant_ends_at", "grant_ending_at")}
    usual: dict[str, Any] = {"state": State.HEALTHY, "since": NOW - 5 * HOUR, "outcome": "refreshed"}
    return LastRun(
        at=at,
        error_type=error_type,
        requests=requests,
        failures=failures or int(error_type is not None),
        succeeded_at=at - HOUR if error_type else at,
        tokens=_tokens(version_id="v1", expires_at=expires_at, due_at=due_at, **grant),
        host=host,
        sent=sent(error_type, at=at, host=host, failures=failures) if requests else None,
        **usual | known | ({"outcome": None} if error_type else {}),
    )


def _tokens(**known: Any) -> CurrentTokens:
    """By default their window's last quarter is that of the access token."""
    expires_at, due_at = known["expires_at"], known["due_at"]
    quarter = None if expires_at is None or due_at is None else expires_at - max(expires_at - due_at, timedelta(0)) / 4
    return CurrentTokens(**{"last_quarter_at": quarter} | known)


def sent(error_type: str | None, *, at: datetime, host: str | None = HOST, failures: int = 0) -> LastRequest:
    return LastRequest(at=at, host=host, error_type=error_type, failures=failures or int(error_type is not None))


def row(name: str = "tokens", *, found: LastRun | None = None, new: bool = False, **known: Any) -> Row:
    usual: dict[str, Any] = {"provider": "xero", "added_at": NOW - 24 * HOUR, "next_at": NOW}
    return Row(secret_arn=arn(name), seen=None if new else found or seen(), **usual | known)


def rows(count: int, *, provider: str = "xero", expires_at: datetime = NOW + WINDOW, name: str = "") -> list[Row]:
    """Due secrets of one provider, which gave new tokens a moment ago; the first expires first."""
    return [
        row(
            f"{name or provider}/{number}",
            provider=provider,
            found=seen(at=NOW - timedelta(seconds=20), expires_at=expires_at + timedelta(seconds=number)),
        )
        for number in range(count)
    ]


def opened(*lanes: str) -> dict[str, Breaker]:
    """Breakers that let nothing through."""
    return dict.fromkeys(lanes, Breaker(reason=BreakerReason.NO_RESPONSE, allowed=0))


def failed(error_type: str, *, at: datetime, state: State = State.HEALTHY, requests: int = 1) -> LastRun:
    return seen(at=at, error_type=error_type, state=state, requests=requests)


def ran(outcome: str = "refreshed", *, at: datetime = NOW, retry_at: datetime | None = None, **known: Any) -> Outcome:
    """By default a run that received a one-hour token."""
    usual: dict[str, Any] = {"version_id": "v2", "expires_at": NOW + HOUR, "due_at": NOW + HOUR - WINDOW}
    tokens = _tokens(**usual | known)
    return Outcome(
        name=OutcomeName(outcome), at=at, requests=1, provider="xero", host=HOST, tokens=tokens, retry_at=retry_at
    )


def ran_into(error_type: str, *, at: datetime = NOW, **known: Any) -> Outcome:
    """By default the run read a token that is due."""
    usual: dict[str, Any] = {"version_id": "v2", "expires_at": NOW + WINDOW, "due_at": NOW}
    tokens = _tokens(**usual | known)
    return Outcome(error=getattr(errors, error_type)(""), at=at, requests=1, provider="xero", host=HOST, tokens=tokens)


def unread(error_type: str) -> Outcome:
    """A run that failed before it read the secret."""
    return Outcome(error=getattr(errors, error_type)(""), provider="another")


def change(transition: Transition = Transition.REAUTHORIZED, *, since: datetime = NOW) -> Change:
    return Change(transition=transition, since=since, found_at=since)


def pause(duration: timedelta = HOUR, *, at: datetime = NOW) -> Pause:
    return Pause(at=at, until=NOW + duration, by="operator", why="maintenance")
