"""Append a pause to the claims on a secret."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final

from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.cli.console.screen import errors, when
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.state import SecretState, read_state
from token_refresh_worker.core.claims import ClaimPause
from token_refresh_worker.core.pauses import pause_claim
from token_refresh_worker.core.steps import Mismatch
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.failures import SecretName, mismatch

TRIES: Final = 20
WAIT_SECONDS: Final = 3.0
"""Runs that claim meanwhile, and stale reads, let a try fail: the next one reads again."""


def append_pause(context: Context, pause_at: Callable[[datetime], ClaimPause]) -> tuple[SecretState, ClaimPause]:
    """Append the pause, after the run that is under way, if there is one.

    Raises:
        CommandFailed: The table keeps tokens, or runs keep changing what is stored.
        ConfigurationError: The claims are in another store.
        TokenRefreshError: A store refuses.
    """
    tries, clock = TRIES, SystemClock()
    while tries:
        state = read_state(context)
        if isinstance(state.step, Mismatch):
            raise mismatch(SecretName(secret_id=context.secret_id, region=context.region), state.step)
        if state.snapshot.kept is not None:
            raise CommandFailed(
                f"the claim table keeps new tokens for secret {context.secret_id}, and a pause would drop them",
                fix=("Store them first: ", context.command("refresh")),
            )
        open_until = state.snapshot.open_until
        if open_until is None:
            tries -= 1
            made = pause_at(state.snapshot.now)
            if state.snapshot.missing_claim_id is None and _append(context, state, made):
                return state, made
        else:  # It may have to keep its tokens beside its claim. Meanwhile no other run sends anything.
            errors().print(f"A run is under way; its claim ends at {when(open_until)} at the latest.")
        clock.sleep(WAIT_SECONDS)
    raise CommandFailed(
        f"other runs kept changing secret {context.secret_id}, or reads of it stayed old; nothing was paused",
        fix=("Try again: ", context.command(context.name)),
    )


def _append(context: Context, state: SecretState, pause: ClaimPause) -> bool:
    store = context.store()
    store.read(label=CURRENT)  # A table's key is the ARN that is found then.
    claims, snapshot = context.claims(state.settings, store), state.snapshot
    claim = pause_claim(snapshot, state.policy.claim_store, pause, nonce=secrets.token_hex(16))
    return claims.append(claim, after=snapshot.newest_claim_id)
