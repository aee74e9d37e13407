"""A pause: an operator stops the token requests for a while.

It is a claim under which nobody redeems. Every run reads the newest claim anyway, so a pause costs no call. A run that
did not see it can't claim, since claims are compared and appended. No token set that somebody stores ends it.
"""

from dataclasses import replace
from datetime import datetime

from token_refresh.stored.times import is_possible
from token_refresh_worker.core.attempts import CLOCK_ERROR, Fate
from token_refresh_worker.core.claims import Claim, ClaimPause
from token_refresh_worker.core.schedule import Policy, may_be_sent_again
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.core.steps import AwaitOutcome, Fresh, Reason, Redeem, Rejected, ReplaceLostTable, Step, Wait
from token_refresh_worker.stored.origin import StoreName


def pause_claim(snapshot: Snapshot, store: StoreName, pause: ClaimPause, *, nonce: str) -> Claim:
    """Return the claim that begins a pause, or ends one before its time. It must follow no open claim, as a fence."""
    return replace(snapshot.next_claim(store, fate=Fate.PAUSED, nonce=nonce), pause=pause)


def pause_of(snapshot: Snapshot) -> ClaimPause | None:
    """Return the pause that holds now; one from the future was made by nobody, and would hold until then."""
    newest = snapshot.newest
    if newest is None or newest.pause is None:
        return None
    if not is_possible(newest.claimed_at, latest=snapshot.now + CLOCK_ERROR):
        return None
    return newest.pause if snapshot.now < newest.pause.until else None


def repeat_allowed_until(snapshot: Snapshot, policy: Policy) -> datetime | None:
    """Say until when a run may repeat a request of unknown outcome; None if there is none, or it is too late."""
    unresolved, grace = snapshot.unresolved, snapshot.counted_grace(policy)
    if not unresolved or not may_be_sent_again(unresolved[0].claimed_at, snapshot.now, grace):
        return None
    return unresolved[0].claimed_at + grace


def apply_pause(step: Step, snapshot: Snapshot) -> Step:
    """Wait in place of a step that sends a token request, or would say that nothing is due.

    Not a rule of the protocol: a run may end before any step. What has arrived is stored and published all the same,
    and what needs a person is still an error, whose next attempt is not before the pause ends.
    """
    pause = pause_of(snapshot)
    if pause is not None and isinstance(step, AwaitOutcome):
        return replace(step, until=max(step.until, pause.until))
    if pause is not None and isinstance(step, Rejected):
        return replace(step, retry_at=max(step.retry_at, pause.until))
    if pause is None or not isinstance(step, Fresh | Wait | Redeem | ReplaceLostTable):
        return step
    if snapshot.rejection is not None and isinstance(step, Redeem):
        return Rejected(snapshot.rejection.claimed_at, pause.until)
    return Wait(pause.until, Reason.PAUSED)
