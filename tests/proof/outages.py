"""Histories in which Secrets Manager refuses every write for a while, and the claim table keeps received tokens."""

from typing import Final

from proof.operators import (
    AUTHORIZE,
    COPY_BACK,
    EDIT,
    EDIT_BARE,
    LOSE_KEY,
    LOSE_TABLE,
    MOVE_BACK,
    REAUTHORIZE,
    RESTORE_TABLE,
)
from proof.world import CLAIM_ENDS, DUE_SECONDS, LIFETIME_SECONDS, OTHER_TABLE, WINDOW_SECONDS, Deployment, scenario

LAST_QUARTER: Final = DUE_SECONDS - WINDOW_SECONDS // 4 + 1
"""After so many seconds a run may send a token whose outcome is unknown."""

FROZEN: Final = scenario(
    "writes refused, frozen runs", "ss", "s", outages=1, losses=1, claims="table", jumps=(LAST_QUARTER,), frozen=True
)

OPERATOR: Final = scenario(
    "writes refused, operator",
    "s",
    "s",
    outages=1,
    claims="table",
    operator=(REAUTHORIZE, AUTHORIZE, EDIT_BARE, COPY_BACK, MOVE_BACK),
    jumps=(CLAIM_ENDS,),
    before=1,
)

KEY_DELETED: Final = scenario(
    "writes refused, key deleted",
    "sss",
    outages=1,
    claims="table",
    operator=(LOSE_KEY, AUTHORIZE, EDIT, MOVE_BACK),
    actions=2,
    jumps=(LAST_QUARTER,),
    before=2,
)

AUTHORIZED_BEFORE: Final = scenario(
    "writes refused, authorized before",
    "fs",
    outages=1,
    claims="table",
    operator=(AUTHORIZE, EDIT, LOSE_KEY),
    actions=2,
    jumps=(LIFETIME_SECONDS - WINDOW_SECONDS // 4 + 1,),
)

STALE: Final = scenario(
    "writes refused, stale reads",
    "ss",
    "s",
    outages=1,
    stale=2,
    claims="table",
    stale_depth=8,
    jumps=(LAST_QUARTER,),
    before=1,
)

MOVED: Final = scenario(
    "writes refused, moved to versions",
    "s",
    "m",
    outages=1,
    claims="table",
    jumps=(CLAIM_ENDS,),
    other=Deployment(claims="versions"),
    before=1,
)

OUTAGES: Final = (
    scenario("writes refused", "s", "f", outages=1, crashes=1, losses=1, jumps=(CLAIM_ENDS,)),
    scenario("writes refused until the last quarter", "ss", "s", outages=2, crashes=1, jumps=(LAST_QUARTER,), before=1),
    FROZEN,
    scenario("writes refused, faults", "s", "f", outages=1, faults=1, jumps=(LAST_QUARTER,), before=1),
    OPERATOR,
    scenario(
        "writes refused, operator twice",
        "ss",
        outages=1,
        faults=1,
        operator=(AUTHORIZE, EDIT, COPY_BACK, MOVE_BACK, LOSE_KEY),
        actions=2,
        before=1,
    ),
    KEY_DELETED,
    AUTHORIZED_BEFORE,
    scenario(
        "writes refused, table lost",
        "s",
        "s",
        outages=1,
        operator=(LOSE_TABLE, RESTORE_TABLE),
        jumps=(CLAIM_ENDS,),
        before=2,
    ),
    STALE,
    scenario("writes refused, paused", "s", "pr", outages=1, crashes=1, jumps=(CLAIM_ENDS,), before=1),
    scenario("writes refused, late write", "s", "s", outages=1, late=1, losses=1, jumps=(LAST_QUARTER,)),
    MOVED,
    scenario(
        "writes refused, moved to other-table",
        "s",
        "mS",
        outages=1,
        crashes=1,
        jumps=(CLAIM_ENDS,),
        other=Deployment(claims=OTHER_TABLE),
        before=1,
    ),
    scenario("writes refused twice", "ss", "s", outages=2, crashes=1, before=1),
)
