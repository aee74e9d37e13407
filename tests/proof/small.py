"""Small searches, in which planted bugs are found."""

from dataclasses import replace
from typing import Final

from proof.operators import (
    COPY_BACK,
    EDIT,
    EDIT_BARE,
    FILL,
    FILL_LABELS,
    LOSE_SUCCESSOR,
    LOSE_TABLE,
    MOVE_BACK,
    NOTE,
    REAUTHORIZE,
    RESTORE_TABLE,
    SPOIL_CLAIM,
    UNLABEL,
)
from proof.world import (
    CLAIM_ENDS,
    CLAIMS_TABLE,
    CLOCKS_DIFFER,
    DAY_PASSES,
    GRACE_SECONDS,
    HOUR_PASSES,
    HOUR_SECONDS,
    OTHER_TABLE,
    WINDOW_SECONDS,
    Budget,
    Deployment,
    scenario,
)
from proof.world import OTHER_HOST as OTHER_HOST_NAME

# Small ones, in which planted bugs are found.
TWO: Final = scenario("two", "s", "f", crashes=1)
ALIKE: Final = replace(TWO, name="alike", plans=("s", "s"))
DYING: Final = scenario("dying", "s", "f", crashes=1, losses=1, jumps=(CLAIM_ENDS,))
GATEWAY: Final = scenario("gateway", "s", "s", gateway=2, jumps=(HOUR_PASSES,))
UNREAD: Final = scenario("unread", "s", "ss", unread=1, crashes=1, jumps=(HOUR_PASSES, HOUR_PASSES))
FORCED: Final = scenario("forced", "sf", "f", losses=2)
NAMED: Final = scenario("named", "sn", "n", crashes=2, losses=2, jumps=(CLAIM_ENDS,))
REPLACED: Final = scenario("replaced", "s", "f", operator=(REAUTHORIZE,))
EDITED: Final = scenario("edited", "s", "f", operator=(EDIT, COPY_BACK))
EDITED_DYING: Final = scenario("edited, dying", "s", "f", crashes=1, operator=(EDIT,), jumps=(CLAIM_ENDS,))
SHORT_CLAIMS: Final = scenario("short claims", "s", "f", jumps=(31,), due_seconds=HOUR_SECONDS)
PUBLISHED: Final = scenario("published", "s", "f", operator=(REAUTHORIZE,), published=True)
FROZEN: Final = scenario("frozen", "s", "n", jumps=(CLAIM_ENDS,), frozen=True, before=1)
BEHIND: Final = scenario("whole seconds", "s", "s", losses=1, operator=(EDIT,), behind_seconds=0.9)
REJECTED: Final = scenario("rejected", "s", "f", false_rejections=1, jumps=(HOUR_PASSES,), before=1)
MOVED_BACK: Final = scenario("moved back", "s", operator=(MOVE_BACK, COPY_BACK), before=3)

SUCCESSOR_GONE: Final = scenario(
    "successor gone",
    "s",
    "s",
    crashes=1,
    operator=(MOVE_BACK, LOSE_SUCCESSOR),
    actions=2,
    jumps=(CLAIM_ENDS,),
    before=2,
)

OTHER_GRACE: Final = scenario(
    "other grace",
    "s",
    "S",
    losses=1,
    operator=(REAUTHORIZE, EDIT_BARE),
    jumps=(CLAIM_ENDS,),
    other=Deployment(GRACE_SECONDS),
    before=1,
)

OTHER_HOST: Final = replace(
    OTHER_GRACE, name="other host", budget=Budget(operator=1), other=Deployment(GRACE_SECONDS, OTHER_HOST_NAME)
)

STALE: Final = scenario("stale", "s", "s", stale=3, stale_depth=8, before=1)
STALE_SUCCESSORS: Final = scenario("stale, successors", "sf", "s", stale=3, stale_depth=8, before=1)

STALE_PUBLISHED: Final = scenario(
    "stale, published", "s", "s", stale=3, stale_depth=8, operator=(REAUTHORIZE,), published=True, before=1
)

UNLABELLED: Final = scenario("unlabelled", "s", "s", operator=(UNLABEL,), before=5, quota=10, claims_a_day=3)
UNANCHORED: Final = scenario("first claim unlabelled", "s", "s", operator=(UNLABEL,))
UNREADABLE: Final = scenario("unreadable", "s", "s", operator=(SPOIL_CLAIM,), before=1)
FILLED: Final = scenario(
    "filled",
    "s",
    "s",
    crashes=1,
    operator=(FILL, NOTE),
    actions=2,
    jumps=(DAY_PASSES,),
    between_runs=True,
    quota=10,
    claims_a_day=3,
    before=1,
)
FILLED_OLD_LIST: Final = scenario(
    "filled, old list", "fff", stale=2, stale_depth=8, operator=(FILL,), quota=12, claims_a_day=4
)
FILLED_CLOCKS: Final = scenario(
    "filled, clocks differ",
    "s",
    operator=(FILL,),
    jumps=(DAY_PASSES, -CLOCKS_DIFFER),
    quota=10,
    claims_a_day=3,
)
LABELLED: Final = scenario("labels taken", "s", "f", operator=(FILL_LABELS,), quota=20, claims_a_day=3)
QUOTA: Final = scenario("quota", "fffff", quota=10, claims_a_day=3)
HALF_THE_QUOTA: Final = replace(QUOTA, name="half the quota", claims_a_day=4)
TABLE_LOST: Final = scenario("table lost", "s", "f", crashes=1, claims="table", operator=(LOSE_TABLE,), before=1)
TABLE_RESTORED: Final = replace(TABLE_LOST, name="table restored", operator=(RESTORE_TABLE,), before=3)

TABLE_LOST_FORCED: Final = scenario(
    "table lost, forced runs", "s", "ff", crashes=1, claims="table", operator=(LOSE_TABLE,), before=1
)

TABLE_LOST_TWO: Final = replace(
    TABLE_LOST, name="table lost, two claims", plans=("s", "s"), budget=Budget(faults=1, operator=1, crashes=1)
)

OLD_CLAIM_ENDS: Final = 121
"""When a claim ended that outlived its run by half a minute: within the time in which a write may land or be unseen."""


SHORT_CLAIM_ENDS: Final = 451
"""When a claim on a token of half an hour ends: before reads of ten minutes ago show what its run stored."""


LATE: Final = scenario("late write", "s", "s", late=1, jumps=(OLD_CLAIM_ENDS, CLAIM_ENDS), due_seconds=HOUR_SECONDS)

LONG_STALE: Final = scenario(
    "stale reads in the last quarter",
    "s",
    "s",
    crashes=1,
    stale=3,
    stale_depth=8,
    jumps=(OLD_CLAIM_ENDS, CLAIM_ENDS),
    due_seconds=HOUR_SECONDS,
)

REFUSING: Final = scenario("writes refused", "s", "f", outages=1, crashes=1, claims="table", jumps=(CLAIM_ENDS,))

TWO_TABLES: Final = scenario(
    "two tables",
    "ss",
    "SS",
    claims=CLAIMS_TABLE,
    jumps=(CLAIM_ENDS,),
    due_seconds=WINDOW_SECONDS // 4,
    other=Deployment(claims=OTHER_TABLE),
    before=1,
)

MOVED: Final = scenario("moved", "s", "m", "S", other=Deployment(claims=CLAIMS_TABLE), before=1)

MOVED_AT_THE_LIMIT: Final = scenario(
    "moved at the limit", "ffmFFF", other=Deployment(claims=CLAIMS_TABLE), quota=11, claims_a_day=3, before=1
)

PAUSED: Final = scenario("paused", "ss", "pr", crashes=1, jumps=(CLAIM_ENDS,), before=1)
MOVED_TWICE: Final = replace(MOVED, name="moved twice", plans=("mS", "m"), budget=Budget(crashes=1))

MOVED_DYING: Final = replace(MOVED, name="moved, dying", budget=Budget(crashes=1))

MOVED_LOST: Final = scenario(
    "moved, then lost",
    "mS",
    claims=CLAIMS_TABLE,
    operator=(LOSE_TABLE,),
    other=Deployment(claims=OTHER_TABLE),
    before=1,
)

SHORT_LIVED: Final = scenario(
    "half an hour's tokens",
    "s",
    "s",
    stale=3,
    claims=CLAIMS_TABLE,
    stale_depth=8,
    stale_seconds=600,
    jumps=(SHORT_CLAIM_ENDS,),
    between_runs=True,
    lifetime_seconds=1800,
    due_seconds=100,
)
