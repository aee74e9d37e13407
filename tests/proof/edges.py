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
from proof.world import CLAIM_ENDS, DAY_SECONDS, HOUR_PASSES, HOUR_SECONDS, scenario

THREE_DAYS: Final = 3 * DAY_SECONDS

KEY_CHANGED: Final = scenario(
    "key changed", "s", "s", crashes=1, operator=(CHANGE_KEY, ENABLE_KEYS), actions=2, jumps=(CLAIM_ENDS,), before=1
)

KEY_CHANGED_PEOPLE: Final = scenario(
    "key changed, people",
    "ss",
    operator=(CHANGE_KEY, ENABLE_KEYS, MOVE_BACK, COPY_BACK, EDIT, AUTHORIZE, REAUTHORIZE, UNLABEL),
    actions=3,
    before=3,
)

MOVED_BACK_THEN_KEY: Final = scenario(
    "moved back, key changed", "s", operator=(MOVE_BACK, CHANGE_KEY), actions=2, before=3
)

LOCKED_SUCCESSOR: Final = replace(MOVED_BACK_THEN_KEY, name="tokens locked", provider="grace")

OLD_LIST: Final = scenario(
    "key changed, old list", "s", "s", stale=2, provider="static", operator=(CHANGE_KEY,), stale_depth=8, before=1
)

KEY_CHANGED_STALE: Final = scenario(
    "key changed, stale reads", "s", "s", stale=2, operator=(CHANGE_KEY,), stale_depth=8, before=1
)

FAR_BACK: Final = scenario(
    "moved back beyond the ledger", "s", "s", crashes=1, operator=(MOVE_BACK, COPY_BACK), most_redemptions=1, before=4
)

CLOCK_JUMPS: Final = scenario(
    "clock three days ahead, and back",
    "ss",
    "s",
    crashes=1,
    losses=1,
    operator=(MOVE_BACK,),
    jumps=(THREE_DAYS, -THREE_DAYS),
    between_runs=True,
    before=1,
)

KEPT_LOCKED: Final = scenario(
    "writes refused, key disabled",
    "ss",
    outages=1,
    claims="table",
    operator=(LOSE_KEY, ENABLE_KEYS),
    actions=2,
    jumps=(CLAIM_ENDS,),
    before=1,
)

FORCED_EARLY: Final = scenario(
    "forced while fresh",
    "f",
    "s",
    losses=1,
    crashes=1,
    jumps=(HOUR_PASSES,),
    lifetime_seconds=THREE_DAYS,
    due_seconds=THREE_DAYS - HOUR_PASSES,
)

DOUBTED: Final = scenario("expiry doubted", "s", "s", losses=1, crashes=1, jumps=(CLAIM_ENDS,), first_expiry="doubted")
UNKNOWN: Final = replace(DOUBTED, name="expiry unknown", first_expiry="missing")

SAME_TOKENS: Final = scenario(
    "same access token", "ss", "s", losses=1, crashes=1, jumps=(CLAIM_ENDS, HOUR_PASSES), returns_same=True
)

UNUSED: Final = scenario(
    "a grant that ends unused first",
    "s",
    "s",
    losses=1,
    crashes=1,
    jumps=(CLAIM_ENDS,),
    lifetime_seconds=THREE_DAYS,
    idle_seconds=7 * THREE_DAYS // 6,
    due_seconds=12 * HOUR_SECONDS,
)
NEVER_IDLE: Final = replace(
    UNUSED,
    name="a grant that ends unused long before",
    plans=("sf", "s"),
    idle_seconds=DAY_SECONDS,
    due_seconds=THREE_DAYS - HOUR_SECONDS,
)

EDGES: Final = (
    DOUBTED,
    UNKNOWN,
    SAME_TOKENS,
    UNUSED,
    NEVER_IDLE,
    KEY_CHANGED,
    MOVED_BACK_THEN_KEY,
    KEY_CHANGED_PEOPLE,
    KEY_CHANGED_STALE,
    FAR_BACK,
    CLOCK_JUMPS,
    FORCED_EARLY,
)
