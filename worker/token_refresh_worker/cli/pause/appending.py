"""Append a pause to the claims on a secret."""

import secrets
from collections.abc import Callable
from typing import Final

from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.failures import CommandFailed
from token_refresh_worker.cli.screen import errors, when
from token_refresh_worker.cli.state import SecretState, read_state
from token_refresh_worker.core.claims import ClaimPause
from token_refresh_worker.core.pauses import pause_claim
from token_refresh_worker.core.plan import refuse_other_settings
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.steps import Mismatch
from token_refresh_worker.core.versions import claim_version_id
from token_refresh_worker.run.failures import SecretName, mismatch
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.stored.origin import ClaimStoreKind

TRIES: Final = 20
WAIT_SECONDS: Final = 3.0
"""Runs that claim meanwhile, and stale reads, let a try fail: the next one reads again."""


def append_pause(context: Context, pause_at: Callable[[SecretState], ClaimPause]) -> tuple[SecretState, ClaimPause]:
    """Append the pause, after the run that is under way, if there is one; `pause_at` may refuse what was read.

    Raises:
        CommandFailed: The table keeps tokens, or runs keep changing what is stored.
        ConfigurationError: The claims are in another store, or on their way there.
        TokenRefreshError: A store refuses.
    """
    tries, clock = TRIES, SystemClock()
    while tries:
        state = read_newest(context)
        # Asked by itself: before it, a run would store what has arrived.
        other = refuse_other_settings(state.snapshot, RunState(), state.policy)
        if isinstance(other, Mismatch):
            raise mismatch(SecretName(secret_id=context.secret_id, region=context.region), other)
        if state.snapshot.kept is not None:
            raise CommandFailed(
                f"the claim table keeps new tokens for secret {context.secret_id}, and a pause would drop them",
                fix=("Store them first: ", context.command("refresh")),
            )
        open_until = state.snapshot.open_until
        if open_until is None:
            tries -= 1
            made = pause_at(state)
            if state.snapshot.missing_claim_id is None and _append(state, made):
                return state, made
        else:  # It may have to keep its tokens beside its claim. Meanwhile no other run sends anything.
            errors().print(f"A run is under way; its claim ends at {when(open_until)} at the latest.")
        clock.sleep(WAIT_SECONDS)
    raise CommandFailed(
        f"other runs kept changing secret {context.secret_id}, or reads of it stayed old; nothing was paused",
        fix=("Try again: ", context.command(context.name)),
    )


def read_newest(context: Context) -> SecretState:
    """Read the state with the newest claim, also where its label is gone, or a read of it is stale."""
    memory = Memory(clock=SystemClock())
    state = read_state(context, memory)
    if state.policy.claim_store.kind is ClaimStoreKind.TABLE:
        return state  # A table has no label, and its reads are consistent.
    snapshot, reader = state.snapshot, state.reader
    newest, number = snapshot.newest, snapshot.claim_number
    claim_id = snapshot.next_claim_id(ClaimStoreKind.VERSIONS)
    while found := reader.claim_named(claim_id, number + 1, newest, snapshot.current):
        newest, number, claim_id = found, found.number, claim_version_id(found.claim_id)
    if newest is snapshot.newest:
        return state
    memory.newest_claim = newest
    return read_state(context, memory)


def _append(state: SecretState, pause: ClaimPause) -> bool:
    snapshot = state.snapshot
    claim = pause_claim(snapshot, state.policy.claim_store, pause, nonce=secrets.token_hex(16))
    return state.reader.claims.append(claim, after=snapshot.newest_claim_id)
