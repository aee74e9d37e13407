"""Histories at the edges of the model: a key, a label, a kept token, a clock, a life."""

from dataclasses import replace
from typing import Final

from proof.operators import (
    AUTHORIZE,
    CHANGE_KEY,
    COPY_BACK,
    EDIT,
    ENABLE_KEYS,
    LOSE_KEY,
    MOVE_BACK,
    REAUTHORIZE,
    UNLABEL,
)
from proof.world import CLAIM_ENDS, DAY_SECONDS, HOUR_PASSES, LIFETIME_SECONDS, Budget, Scenario

THREE_DAYS: Final = 3 * DAY_SECONDS
AFTER_EXPIRY: Final = LIFETIME_SECONDS + 1

KEY_CHANGED: Final = Scenario(
    name="key changed",
    plans=("s", "s"),
    budget=Budget(operator=2, crashes=1, jumps=1),
    operator=(CHANGE_KEY, ENABLE_KEYS),
    jumps=(CLAIM_ENDS,),
    before=1,
)

KEY_CHANGED_PEOPLE: Final = Scenario(
    name="key changed, people",
    plans=("ss",),
    budget=Budget(operator=3),
    operator=(CHANGE_KEY, ENABLE_KEYS, MOVE_BACK, COPY_BACK, EDIT, AUTHORIZE, REAUTHORIZE, UNLABEL),
    before=3,
)

MOVED_BACK_THEN_KEY: Final = Scenario(
    name="moved back, key changed",
    plans=("s",),
    budget=Budget(operator=2),
    operator=(MOVE_BACK, CHANGE_KEY),
    before=3,
)

LOCKED_SUCCESSOR: Final = replace(MOVED_BACK_THEN_KEY, name="tokens locked", provider="grace")

OLD_LIST: Final = Scenario(
    name="key changed, old list",
    provider="static",
    plans=("s", "s"),
    budget=Budget(operator=1, stale=2),
    operator=(CHANGE_KEY,),
    stale_depth=8,
    before=1,
)

KEY_CHANGED_STALE: Final = Scenario(
    name="key changed, stale reads",
    plans=("s", "s"),
    budget=Budget(operator=1, stale=2),
    operator=(CHANGE_KEY,),
    stale_depth=8,
    before=1,
)

FAR_BACK: Final = Scenario(
    name="moved back beyond the ledger",
    plans=("s", "s"),
    budget=Budget(operator=1, crashes=1),
    operator=(MOVE_BACK, COPY_BACK),
    redemptions_kept=1,
    before=4,
)

CLOCK_JUMPS: Final = Scenario(
    name="clock three days ahead, and back",
    plans=("ss", "s"),
    budget=Budget(crashes=1, losses=1, operator=1, jumps=2),
    operator=(MOVE_BACK,),
    jumps=(THREE_DAYS, -THREE_DAYS),
    between_runs=True,
    before=1,
)

KEPT_LOCKED: Final = Scenario(
    name="writes refused, key disabled",
    plans=("ss",),
    claims="table",
    budget=Budget(outages=1, operator=2, jumps=1),
    operator=(LOSE_KEY, ENABLE_KEYS),
    jumps=(CLAIM_ENDS,),
    before=1,
)

FORCED_EARLY: Final = Scenario(
    name="forced while fresh",
    plans=("f", "s"),
    budget=Budget(losses=1, crashes=1, jumps=1),
    jumps=(HOUR_PASSES,),
    lifetime_seconds=THREE_DAYS,
    due_seconds=THREE_DAYS - HOUR_PASSES,
)

EDGES: Final = (
    KEY_CHANGED,
    MOVED_BACK_THEN_KEY,
    KEY_CHANGED_PEOPLE,
    KEY_CHANGED_STALE,
    FAR_BACK,
    CLOCK_JUMPS,
    FORCED_EARLY,
)
