"""How a token secret is: healthy, in need of attention, or broken, with the reason and the command that mends it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from token_refresh.cli.console.screen import relative, span, when
from token_refresh.cli.secret.state import Result, State
from token_refresh.core.steps import Carry, Fresh, Hold, Promote, Redeem, Rejected, Spent, Wait


class Health(IntEnum):
    """As monitoring plugins number them: these are the exit statuses of `status`."""

    HEALTHY = 0
    ATTENTION = 1
    BROKEN = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an operator should know, and what to do about it."""

    health: Health
    text: str
    remedy: str


def examine(state: State) -> list[Finding]:
    """List what is wrong, the worst first; an empty list if all is well."""
    checks = (_grant, _expiry, _blocked, _failed, _overdue, _published)
    findings = [finding for check in checks if (finding := check(state)) is not None]
    return sorted(findings, key=lambda finding: -finding.health)


def health_of(findings: list[Finding]) -> Health:
    """Give the worst."""
    return max((finding.health for finding in findings), default=Health.HEALTHY)


def next_step(state: State) -> str:  # noqa: PLR0911 - one for each step
    """Say what the next scheduled run does; it follows from the plan that a run uses."""
    match state.step:
        case Fresh():
            return "sends nothing: no refresh is due"
        case Wait(until, reason):
            return f"sends nothing until {when(until)}: {reason.value}"
        case Rejected(since, retry_at):
            return f"sends nothing until {when(retry_at)}: the provider rejected the refresh token at {when(since)}"
        case Spent(since):
            return f"sends nothing: the refresh token was redeemed at {when(since)}, and the new tokens are gone"
        case Hold(_, until):
            return f"sends nothing until {when(until)}: the refresh token may have been redeemed"
        case Promote() | Carry():
            return "makes the tokens current that an interrupted run received"
        case _:
            return "refreshes the tokens"


def _grant(state: State) -> Finding | None:
    if not isinstance(state.step, Rejected | Spent):
        return None
    since = when(state.step.since)
    rejected = isinstance(state.step, Rejected)
    return Finding(
        health=Health.BROKEN,
        text=f"the provider rejected the refresh token at {since}"
        if rejected
        else f"the refresh token was redeemed at {since}, and the new tokens are gone",
        remedy=f"authorize again: `{state.context.command('authorize')}`",
    )


def _expiry(state: State) -> Finding | None:
    refreshes = isinstance(state.step, Redeem | Promote | Carry)
    refresh = f"now: `{state.context.command('refresh')}`" if refreshes else f"why: `{state.context.command('doctor')}`"
    if state.document.access_token is None or state.left is None:
        return Finding(
            health=Health.ATTENTION,
            text="there is no access token, or its expiry is unknown",
            remedy=f"the next run gets one; {refresh}" if refreshes else refresh,
        )
    if state.left > timedelta(0):
        return None
    return Finding(
        health=Health.BROKEN,
        text=f"the access token expired {relative(state.left)}: the provider's API rejects it",
        remedy=f"refresh it {refresh}" if refreshes else refresh,
    )


def _blocked(state: State) -> Finding | None:
    match state.step:
        case Hold(since, until):
            return Finding(
                health=Health.ATTENTION,
                text=f"a refresh was started at {when(since)}, and its result is unknown: the refresh token may have "
                f"been redeemed. Runs wait until {when(until)}",
                remedy=f"safest: `{state.context.command('authorize')}`; to risk the grant now: "
                f"`{state.context.command('refresh', '--force')}`",
            )
        case Promote() | Carry():
            return Finding(
                health=Health.ATTENTION,
                text="a run was interrupted after it received tokens; they are stored and not current yet",
                remedy=f"the next run makes them current; now: `{state.context.command('refresh')}`",
            )
    return None


def _failed(state: State) -> Finding | None:
    """Report a failed newest attempt on the current version; a rejected one is a finding about the grant."""
    newest = state.attempts[0] if state.attempts else None
    if newest is None or isinstance(state.step, Hold | Promote | Carry) or not state.snapshot.on_version:
        return None
    if newest.result not in {Result.NOT_REDEEMED, Result.UNKNOWN}:
        return None
    error = f" with {newest.error}" if newest.error else ""
    return Finding(
        health=Health.ATTENTION,
        text=f"attempt {newest.attempt} ({when(newest.claimed_at)}) failed{error}: "
        f"{newest.result.value.replace('_', ' ')}",
        remedy=f"a later run tries again; to find the cause: `{state.context.command('doctor')}`",
    )


def _overdue(state: State) -> Finding | None:
    """Report a refresh that is late: half of the time in which it is due has passed."""
    expires_at, due = state.document.expires_at, state.due_at
    if expires_at is None or due is None or state.left is None or state.left <= timedelta(0):
        return None
    if state.left > (expires_at - due) / 2:
        return None
    return Finding(
        health=Health.ATTENTION,
        text=f"the refresh is overdue: it was due {relative(due - state.snapshot.now)}, and the access token expires "
        f"in {span(state.left)}",
        remedy=f"check the schedule and the function: `{state.context.command('doctor', '--function', 'NAME')}`",
    )


def _published(state: State) -> Finding | None:
    if not state.published_lags:
        return None
    return Finding(
        health=Health.ATTENTION,
        text=f"the published copy {state.settings.published_secret_id} is of an older version",
        remedy=f"the next run updates it; now: `{state.context.command('refresh')}`",
    )
