"""How a token secret is: healthy, in need of attention, or broken, with the reason and the command that fixes it.

What is said here follows from the step that a scheduled run would take, so that it does not contradict a run.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from token_refresh.advice import Advice
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.finding import Finding, Health, failed
from token_refresh_admin.cli.screen import one_line, relative
from token_refresh_admin.cli.state import AttemptResult, PastAttempt, SecretState
from token_refresh_admin.cli.surroundings import AROUND, doctor_of, foreign_sets
from token_refresh_worker.core import steps
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.pauses import pause_of
from token_refresh_worker.core.plan import hold_unresolved_token
from token_refresh_worker.core.schedule import known_lifetime, lifetime_too_short, window_of
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.run.failures import mismatch, move_options, slow_schedule, span, utc
from token_refresh_worker.run.grant_failures import (
    ATTEMPTS_IN_VAIN,
    attempts_in_vain,
    dead_grant,
    perhaps_ended,
    unknown_outcome,
)
from token_refresh_worker.run.locked_versions import tokens_locked
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, StoreName

_REFRESHES: Final = (steps.Redeem, steps.StoreKeptTokens, steps.Promote, steps.RestageOnEdited)
"""The steps after which the tokens are new."""

_EXPLAINED: Final = (
    steps.AwaitOutcome,
    steps.LivingSetReplaced,
    steps.StopAtUnread,
    steps.StoreKeptTokens,
    steps.Promote,
    steps.RestageOnEdited,
    steps.SettingsMismatch,
)
"""The steps whose own finding says what became of the newest attempt."""

_FAILED: Final = {Fate.NOT_REDEEMED, Fate.UNKNOWN, Fate.UNREAD, Fate.NO_RESULT}


def examine(state: SecretState) -> list[Finding]:
    """List what is wrong, the worst first; an empty list if all is well.

    Tokens of something else come before all: no printed step refreshes or publishes them before somebody has looked.
    """
    checks: Iterable[Callable[[SecretState], Iterator[Finding]]] = (
        _step,
        _older_set,
        _unread,
        _paused,
        _expiry,
        _failed,
        _overdue,
        *AROUND,
        _lifetime,
    )
    found: list[Finding] = []
    if unproven := state.context.source.unproven:  # The other checks judge by settings that nobody knows.
        found, checks = [Finding.unknown(unproven.facts, *unproven.fix)], (_expiry, _paused)
    found.extend(chain.from_iterable(check(state) for check in checks))
    first = [*foreign_sets(state)] if state.snapshot.is_foreign else []
    return sorted(found, key=lambda finding: (finding not in first, -finding.health))


def health_of(findings: list[Finding]) -> Health:
    """Return the worst."""
    return max((finding.health for finding in findings), default=Health.HEALTHY)


_NEXT: Final = {
    steps.Fresh: "sends nothing: no refresh is due",
    steps.LivingSetReplaced: "fails, and sends nothing: the current tokens are dead, and another set may be alive",
    steps.TokenUsed: "sends nothing: the refresh token was used",
    steps.NextTokensUndecryptable: "sends nothing: KMS refuses the key of the tokens that follow",
    steps.StopAtUnread: "sends nothing: a response that can't be read is kept",
    steps.StoreKeptTokens: "stores the tokens that the claim table keeps",
    steps.Promote: "makes the tokens current that an interrupted run received",
    steps.RestageOnEdited: "makes the tokens current that followed the older set that somebody saved",
}


def name_of_step(step: type[steps.Step]) -> str:
    """Return a step's name in JSON, such as `store_kept_tokens`."""
    return re.sub(r"\B(?=[A-Z])", "_", step.__name__).lower()


def say_next_step(state: SecretState) -> str:
    """Say what the next scheduled run does."""
    match state.step:
        case steps.Wait(until, steps.Reason.STALE):
            return f"sends nothing until {utc(until)}: what is read until then may be stale"
        case steps.Wait(until, reason):
            return f"sends nothing until {utc(until)}: {reason.value}"
        case steps.Rejected(retry_at=until) | steps.AwaitOutcome(until=until):
            return f"sends nothing until {utc(until)}"
        case steps.SettingsMismatch(setting):
            return f"fails: {setting} does not fit the stored tokens"
        case steps.Redeem():
            sends = "refreshes the tokens" if state.snapshot.rejection is None else "sends the rejected token again"
            return sends if state.client_failure is None else "fails: it finds no client credentials"
        case step:
            return _NEXT.get(type(step), "writes a new claim record, because the table lost the old one")


def explain_attempt(past: PastAttempt) -> str:
    """Say in words how an attempt ended."""
    words = {
        AttemptResult.KEPT_TOKENS: "tokens arrived, and the claim table keeps them",
        Fate.NO_RESULT: "no result: the run died",
        Fate.UNKNOWN: "unknown outcome: no usable response",
        Fate.UNREAD: "a response that can't be read is kept",
        Fate.MOVED: "the claims moved",
    }
    said = words.get(past.result, past.result.value.replace("_", " "))
    return said + (f" ({past.error})" if past.error else "")


def _step(state: SecretState) -> Iterator[Finding]:
    """Report why the next run does not refresh, or what it does instead."""
    rejection = state.snapshot.rejection
    match state.step:
        case steps.SettingsMismatch() as step:
            yield failed(mismatch(state.context.secret, step, state.snapshot.newest))
        case steps.Rejected() | steps.TokenUsed() | steps.LivingSetReplaced() as step:
            yield failed(dead_grant(state.context.secret, step, locked=state.locked_set))
        case steps.Redeem() if rejection is not None:
            living, again = state.snapshot.living, steps.Rejected(rejection.claimed_at, state.snapshot.now)
            dead = steps.LivingSetReplaced(living) if living else again
            yield failed(dead_grant(state.context.secret, dead, locked=state.locked_set))
        case steps.NextTokensUndecryptable(version_id):
            yield failed(tokens_locked(state.context.run(state.settings).parts, version_id))
        case steps.StopAtUnread(since):
            yield Finding.broken(*_unread_response(state, since))
        case steps.AwaitOutcome() as step:
            yield _held(state, step)
        case steps.StoreKeptTokens(kept):
            yield Finding.attention(
                f"tokens arrived after {utc(kept.claim.claimed_at)}, and Secrets Manager refused them; the claim "
                "table keeps them, encrypted. Don't delete the table, its item or its key",
                "correct why it refuses them (the last run's error says it); the next run stores them. Now: ",
                state.context.command("refresh"),
            )
        case steps.RestageOnEdited():
            yield Finding.attention(
                "somebody saved an older token set; the tokens that followed it are stored, and not current",
                "the next run makes them current, with what was edited; now: ",
                state.context.command("refresh"),
            )
        case steps.Promote():
            yield Finding.attention(
                "a run was interrupted after it received tokens; they are stored and not current yet",
                "the next run makes them current; now: ",
                state.context.command("refresh"),
            )


def _older_set(state: SecretState) -> Iterator[Finding]:
    """Report tokens that are known to be dead, as long as a run still takes them for a stale read."""
    current, living, command = state.snapshot.current, state.snapshot.living, state.context.command
    match state.step:
        case steps.Wait(until, steps.Reason.STALE):
            remedy: Advice = ("look again then: ", command("status"))
            if living is not None:
                remedy = ("if somebody put it back: ", command("restore", "--version", living.version_id))
            yield Finding.attention(
                f"version {current.version_id}, stored at {utc(current.stored_at)}, is current, and its refresh token "
                "was used, rejected or revoked: an older token set was put back, or this read is stale. If it stays "
                f"so, runs say so after {utc(until)}",
                *remedy,
            )


def _held(state: SecretState, hold: steps.AwaitOutcome) -> Finding:
    error = unknown_outcome(state.context.secret, hold, state.locked_claim)
    return Finding.attention(error.facts, *error.fix)


def _unread_response(state: SecretState, since: datetime) -> tuple[str, *Advice]:
    return (
        f"the response to the refresh of {utc(since)} can't be read; it is kept, and may hold the new tokens",
        *("look at its fields, without their values: ", state.context.command("recover")),
        *(". If it holds no tokens, authorize again: ", state.context.command("authorize")),
    )


def _unread(state: SecretState) -> Iterator[Finding]:
    """Report an unread response also where the token may still be sent again, or nothing is due yet."""
    unread = state.snapshot.unread_responses
    if unread and not isinstance(state.step, steps.StopAtUnread):
        yield Finding.attention(*_unread_response(state, unread[-1].claimed_at))


def _paused(state: SecretState) -> Iterator[Finding]:
    """Report a pause: somebody decided it, and the next reader has to know."""
    pause, left = pause_of(state.snapshot), state.left
    if pause is None:
        return
    late = "" if left is None or state.snapshot.now + left > pause.until else ", and the access token expires sooner"
    yield Finding.attention(
        f"an operator paused the refreshes until {utc(pause.until)}: {one_line(pause.why)}{late}",
        *("to go on before that: ", state.context.command("resume")),
    )


def _expiry(state: SecretState) -> Iterator[Finding]:
    refreshes = isinstance(state.step, _REFRESHES)
    command = state.context.command("refresh" if refreshes else "doctor")
    remedy = ("refresh now: " if refreshes else "find out why: ", command)
    if state.document.doubted_expiry is not None:
        yield _doubted(state, state.document.doubted_expiry)
    elif state.document.access_token is None or state.left is None:
        yield Finding.attention("there is no access token, or its expiry is unknown", *remedy)
    elif state.left <= timedelta(0):
        yield Finding.broken(f"the access token expired {relative(state.left)}: the provider's API rejects it", *remedy)


def _doubted(state: SecretState, expiry: datetime) -> Finding:
    """Report an expiry that can't be true: the access token may be dead already, so no command calls it good."""
    document, stored_at = state.document, state.snapshot.current.stored_at
    lives = span(known_lifetime(document, state.settings.policy) or expiry - stored_at)
    refresh: Advice = ()
    setting = "lifetime_seconds in a profile of your own"
    if not state.context.source.fleet:
        setting = "token_lifetime_seconds in the deployment's file"
    if isinstance(state.step, _REFRESHES):
        refresh = "refresh now, which stores the right one: ", state.context.command("refresh"), ". Or "
    return Finding.broken(
        f"{document.spelling.expires_at} is not believed: it is {utc(expiry)}, {span(expiry - stored_at)} after it "
        f"was stored, and access tokens live {lives}. No run publishes the token, and its refresh is due",
        *(*refresh, "pipe the corrected value into: ", state.context.secret.put_value),
        # What the token set says itself counts before that.
        *(() if document.origin and document.origin.lifetime else (f". If access tokens live so long, set {setting}",)),
    )


def _failed(state: SecretState) -> Iterator[Finding]:
    """Report a failed newest attempt on the current version; a rejected one is a finding about the grant."""
    # Without an attempt on the current version, the failure was on an older one and is over.
    if not state.snapshot.on_version or isinstance(state.step, _EXPLAINED):
        return
    newest = state.attempts[0]
    if newest.result not in _FAILED:
        return
    later = hold_unresolved_token(state.snapshot, RunState(), state.settings.policy)
    if isinstance(state.step, steps.Fresh) and isinstance(later, steps.AwaitOutcome):
        yield _held(state, later)  # As soon as a refresh is due, or is forced.
    elif newest.error and not newest.is_of_client and attempts_in_vain(state.snapshot) >= ATTEMPTS_IN_VAIN:
        yield failed(perhaps_ended(state.context.secret, attempts_in_vain(state.snapshot), newest.error))
    else:
        attempt, fresh = newest.attempt, isinstance(state.step, steps.Fresh)
        good = "the tokens are good, and a run refreshes them when they are due"
        remedy: Advice = (
            f"{good if fresh else 'a later run tries again'}; to find the cause: ",
            state.context.command("doctor"),
        )
        if newest.is_of_client:
            remedy = client_remedy(state)
        elif attempts_in_vain(state.snapshot) >= ATTEMPTS_IN_VAIN:
            refuses = ". If the log says that the token endpoint refuses them, the grant has perhaps ended: "
            remedy = (*remedy, refuses, state.context.command("authorize"))
        yield Finding.attention(
            f"attempt {attempt.attempt_number} ({utc(attempt.claimed_at)}) failed: {explain_attempt(newest)}", *remedy
        )


def client_remedy(state: SecretState) -> Advice:
    """Say what helps where the provider rejected the client: no later run corrects that."""
    return (
        *("replace the client credentials, which takes no consent: ", state.context.command("client")),
        *(". If they are right now: ", state.context.command("refresh", "--force")),
    )


def _overdue(state: SecretState) -> Iterator[Finding]:
    """Report a refresh that is late: a scheduled run should have begun one, and no rule keeps it back."""
    due, left = state.due_at, state.left
    # Where no run refreshes, another finding says why; the schedule is not the cause.
    refreshes = isinstance(state.step, steps.Redeem) and state.client_failure is None and state.full is None
    runs = isinstance(state.step, (*_REFRESHES, steps.Wait)) and pause_of(state.snapshot) is None
    is_stale = isinstance(state.step, steps.Wait) and state.step.reason is steps.Reason.STALE
    if due is None or left is None or not runs or state.snapshot.rejection is not None or is_stale:
        return
    late = state.snapshot.now - due
    if left > timedelta(0) and late > state.period:
        yield Finding.attention(
            f"the refresh is overdue: it was due {relative(-late)}, a run comes every {span(state.period)}, and the "
            f"access token expires in {span(left)}",
            *("check the schedule and the function: ", doctor_of(state)),
            *((". Refresh from here: ", state.context.command("refresh")) if refreshes else ()),
        )


def _lifetime(state: SecretState) -> Iterator[Finding]:
    return lifetime_findings(state.context, state.settings, state.document, claims_a_day=state.claims_today[1])


def lifetime_findings(
    context: Context, settings: Settings, document: TokenDocument, *, claims_a_day: int
) -> Iterator[Finding]:
    """Report access tokens that live too short a time for the schedule, or for the claims that a day has room for."""
    period, window = settings.run_period, window_of(document, settings.policy)
    if period is not None and period > window:
        yield Finding.attention(
            f"runs are up to {span(period)} apart, and a refresh is due only {span(window)} before the tokens expire: "
            "tokens may expire between two runs",
            *slow_schedule(window),
        )
    if not lifetime_too_short(document, settings.policy):
        return
    moves = settings.policy.claim_store == IN_VERSIONS
    move = (
        "deploy with claim_table, and move the claims before that happens: ",
        context.command("claims move", *move_options(StoreName(ClaimStoreKind.TABLE))),
    )
    yield Finding.attention(
        f"the access token lives too short a time: its refreshes would take more than {claims_a_day} claims a day, and "
        "after that many, runs wait",
        *(move if moves else ("ask the provider for tokens that live longer",)),
    )
