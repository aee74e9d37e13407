"""How a token secret is: healthy, in need of attention, or broken, with the reason and the command that answers it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from token_refresh.cli.screen import relative, span, when
from token_refresh.cli.state import Result, State
from token_refresh.core.steps import Carry, Fresh, Hold, Promote, Rejected, Spent, Wait


class Health(IntEnum):
    """As monitoring plugins number them: these are the exit statuses of `status`."""

    HEALTHY = 0
    ATTENTION = 1
    BROKEN = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that someone should know, and what to do about it."""

    health: Health
    text: str
    remedy: str


def examine(state: State) -> list[Finding]:
    """List what is wrong, the worst first; nothing where all is well."""
    checks = (_grant, _expiry, _stuck, _failed, _overdue, _published)
    findings = [finding for check in checks if (finding := check(state)) is not None]
    return sorted(findings, key=lambda finding: -finding.health)


def health_of(findings: list[Finding]) -> Health:
    """Give the worst."""
    return max((finding.health for finding in findings), default=Health.HEALTHY)


def next_step(state: State) -> str:  # noqa: PLR0911 - one for each step
    """Say in a sentence what the next scheduled run does."""
    match state.step:
        case Fresh():
            return "nothing is due; the next scheduled run leaves it as it is"
        case Wait(until, reason):
            return f"waits until {when(until)}: {reason.value}"
        case Rejected(since, retry_at):
            return f"sends nothing until {when(retry_at)}: the provider rejected the grant at {when(since)}"
        case Spent(since):
            return f"sends nothing: the refresh token was redeemed at {when(since)}, and what it brought is gone"
        case Hold(_, until):
            return f"holds until {when(until)}: it is not known whether the refresh token was redeemed"
        case Promote() | Carry():
            return "makes tokens current that an interrupted run has received"
        case _:
            return "refreshes: it is due"


def _grant(state: State) -> Finding | None:
    if not isinstance(state.step, Rejected | Spent):
        return None
    rejected = isinstance(state.step, Rejected)
    return Finding(
        health=Health.BROKEN,
        text=f"the provider rejected the grant at {when(state.step.since)}"
        if rejected
        else f"the refresh token was redeemed at {when(state.step.since)}, and the tokens that it brought are gone",
        remedy="a person must authorize again: token-refresh authorize",
    )


def _expiry(state: State) -> Finding | None:
    if state.document.access_token is None or state.left is None:
        return Finding(
            health=Health.ATTENTION,
            text="there is no access token, or nothing says when it expires",
            remedy="the next run gets one; now: token-refresh refresh",
        )
    if state.left > timedelta(0):
        return None
    return Finding(
        health=Health.BROKEN,
        text=f"the access token expired {relative(state.left)}; consumers are refused",
        remedy="try now: token-refresh refresh; what keeps runs from it: token-refresh doctor",
    )


def _stuck(state: State) -> Finding | None:
    match state.step:
        case Hold(since, until):
            return Finding(
                health=Health.ATTENTION,
                text=f"a refresh was begun at {when(since)} and nobody knows whether the refresh token was redeemed; "
                f"nothing is sent before {when(until)}",
                remedy="safest: token-refresh authorize; or risk the grant now: token-refresh refresh --force",
            )
        case Promote() | Carry():
            return Finding(
                health=Health.ATTENTION,
                text="a run was interrupted after it received tokens; they are stored and not yet current",
                remedy="the next run finishes it; now: token-refresh refresh",
            )
    return None


def _failed(state: State) -> Finding | None:
    """Tell of a failed newest attempt; a rejected one is the grant's own finding."""
    newest = state.attempts[0] if state.attempts else None
    if newest is None or isinstance(state.step, Hold | Promote | Carry):
        return None
    if newest.result not in {Result.NOT_REDEEMED, Result.UNKNOWN} or not state.snapshot.on_version:
        return None  # A version that is current since then has no attempt against it.
    error = f" with {newest.error}" if newest.error else ""
    return Finding(
        health=Health.ATTENTION,
        text=f"the last attempt (number {newest.attempt}, {when(newest.claimed_at)}) failed{error}: "
        f"{newest.result.value.replace('_', ' ')}",
        remedy="the next run tries again; what is wrong: token-refresh doctor",
    )


def _overdue(state: State) -> Finding | None:
    """Tell where half of the time in which a refresh is due has passed: no normal refresh comes so late."""
    expires_at, due = state.document.expires_at, state.due_at
    if expires_at is None or due is None or state.left is None or state.left <= timedelta(0):
        return None
    if state.left > (expires_at - due) / 2:
        return None
    return Finding(
        health=Health.ATTENTION,
        text=f"the refresh is overdue: it was due {relative(due - state.snapshot.now)}, and the access token expires "
        f"in {span(state.left)}",
        remedy="is the function scheduled, do its runs fail: token-refresh doctor --function NAME",
    )


def _published(state: State) -> Finding | None:
    if not state.published_lags:
        return None
    return Finding(
        health=Health.ATTENTION,
        text=f"the published copy ({state.published_secret_id}) does not show the current version",
        remedy="the next run brings it up to date; now: token-refresh refresh",
    )
