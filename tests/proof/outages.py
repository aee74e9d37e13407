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
from proof.world import (
    CLAIM_ENDS,
    DUE_SECONDS,
    LIFETIME_SECONDS,
    OTHER_TABLE,
    WINDOW_SECONDS,
    Budget,
    Deployment,
    Scenario,
)

LAST_QUARTER: Final = DUE_SECONDS - WINDOW_SECONDS // 4 + 1
"""After so many seconds a run may send a token whose outcome is unknown."""

FROZEN: Final = Scenario(
    name="writes refused, frozen runs",
    plans=("ss", "s"),
    claims="table",
    budget=Budget(outages=1, losses=1, jumps=1),
    jumps=(LAST_QUARTER,),
    frozen=True,
)

OPERATOR: Final = Scenario(
    name="writes refused, operator",
    plans=("s", "s"),
    claims="table",
    budget=Budget(outages=1, operator=1, jumps=1),
    operator=(REAUTHORIZE, AUTHORIZE, EDIT_BARE, COPY_BACK, MOVE_BACK),
    jumps=(CLAIM_ENDS,),
    before=1,
)

KEY_DELETED: Final = Scenario(
    name="writes refused, key deleted",
    plans=("sss",),
    claims="table",
    budget=Budget(outages=1, operator=2, jumps=1),
    operator=(LOSE_KEY, AUTHORIZE, EDIT, MOVE_BACK),
    jumps=(LAST_QUARTER,),
    before=2,
)

AUTHORIZED_BEFORE: Final = Scenario(
    name="writes refused, authorized before",
    plans=("fs",),
    claims="table",
    budget=Budget(outages=1, operator=2, jumps=1),
    operator=(AUTHORIZE, EDIT, LOSE_KEY),
    jumps=(LIFETIME_SECONDS - WINDOW_SECONDS // 4 + 1,),
)

STALE: Final = Scenario(
    name="writes refused, stale reads",
    plans=("ss", "s"),
    claims="table",
    budget=Budget(outages=1, stale=2, jumps=1),
    stale_depth=8,
    jumps=(LAST_QUARTER,),
    before=1,
)

MOVED: Final = Scenario(
    name="writes refused, moved to versions",
    plans=("s", "m"),
    claims="table",
    budget=Budget(outages=1, jumps=1),
    jumps=(CLAIM_ENDS,),
    other=Deployment(claims="versions"),
    before=1,
)

OUTAGES: Final = (
    Scenario(
        name="writes refused",
        plans=("s", "f"),
        budget=Budget(outages=1, crashes=1, losses=1, jumps=1),
        jumps=(CLAIM_ENDS,),
    ),
    Scenario(
        name="writes refused until the last quarter",
        plans=("ss", "s"),
        budget=Budget(outages=2, crashes=1, jumps=1),
        jumps=(LAST_QUARTER,),
        before=1,
    ),
    FROZEN,
    Scenario(
        name="writes refused, faults",
        plans=("s", "f"),
        budget=Budget(outages=1, faults=1, jumps=1),
        jumps=(LAST_QUARTER,),
        before=1,
    ),
    OPERATOR,
    Scenario(
        name="writes refused, operator twice",
        plans=("ss",),
        budget=Budget(outages=1, operator=2, faults=1),
        operator=(AUTHORIZE, EDIT, COPY_BACK, MOVE_BACK, LOSE_KEY),
        before=1,
    ),
    KEY_DELETED,
    AUTHORIZED_BEFORE,
    Scenario(
        name="writes refused, table lost",
        plans=("s", "s"),
        budget=Budget(outages=1, operator=1, jumps=1),
        operator=(LOSE_TABLE, RESTORE_TABLE),
        jumps=(CLAIM_ENDS,),
        before=2,
    ),
    STALE,
    Scenario(
        name="writes refused, paused",
        plans=("s", "pr"),
        budget=Budget(outages=1, crashes=1, jumps=1),
        jumps=(CLAIM_ENDS,),
        before=1,
    ),
    Scenario(
        name="writes refused, late write",
        plans=("s", "s"),
        budget=Budget(outages=1, late=1, losses=1, jumps=1),
        jumps=(LAST_QUARTER,),
    ),
    MOVED,
    Scenario(
        name="writes refused, moved to other-table",
        plans=("s", "mS"),
        budget=Budget(outages=1, crashes=1, jumps=1),
        jumps=(CLAIM_ENDS,),
        other=Deployment(claims=OTHER_TABLE),
        before=1,
    ),
    Scenario(name="writes refused twice", plans=("ss", "s"), budget=Budget(outages=2, crashes=1), before=1),
)
