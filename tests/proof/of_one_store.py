"""Histories that only one kind of claim store can have."""

from typing import Final

from proof.operators import (
    AUTHORIZE,
    COPY_BACK,
    EDIT,
    LOSE_TABLE,
    MOVE_BACK,
    MOVE_LABEL,
    REAUTHORIZE,
    RESTORE_TABLE,
    SPOIL_CLAIM,
    SPOIL_RECORD,
    UNLABEL,
)
from proof.small import (
    MOVED_AT_THE_LIMIT,
    MOVED_LOST,
    SHORT_LIVED,
    TABLE_LOST_FORCED,
    TWO_TABLES,
)
from proof.world import (
    CLAIM_ENDS,
    CLAIMS_TABLE,
    DAY_PASSES,
    HOUR_PASSES,
    HOUR_SECONDS,
    OTHER_TABLE,
    WINDOW_SECONDS,
    Budget,
    Deployment,
    Scenario,
)


def _moves(to: str) -> tuple[Scenario, ...]:
    """Give the histories in which claims are moved, at any point of a run."""
    other = Deployment(claims=to)
    return (
        Scenario(name=f"moved to {to}", plans=("s", "mm", "S"), budget=Budget(crashes=1), other=other, before=1),
        Scenario(name=f"moved to {to}, never claimed", plans=("s", "mmS"), budget=Budget(crashes=1), other=other),
        Scenario(
            name=f"moved to {to}, dying",
            plans=("s", "m", "S"),
            budget=Budget(crashes=1, losses=1, jumps=1),
            jumps=(CLAIM_ENDS,),
            other=other,
            before=1,
        ),
        Scenario(name=f"moved to {to} and back", plans=("s", "mb", "S"), other=other, before=1),
        Scenario(
            name=f"moved to {to}, people",
            plans=("s", "mS"),
            budget=Budget(crashes=1, operator=1),
            operator=(EDIT, REAUTHORIZE),
            other=other,
            before=1,
        ),
        Scenario(
            name=f"moved to {to}, old sets",
            plans=("m", "S"),
            budget=Budget(operator=1),
            operator=(AUTHORIZE, MOVE_BACK, COPY_BACK),
            other=other,
            before=4,
        ),
        Scenario(name=f"moved to {to}, faults", plans=("s", "mm"), budget=Budget(faults=1), other=other, before=1),
        Scenario(
            name=f"moved to {to}, stale reads",
            plans=("s", "mS"),
            budget=Budget(stale=2),
            stale_depth=8,
            other=other,
            before=1,
        ),
        Scenario(
            name=f"moved to {to}, false rejections",
            plans=("s", "mS"),
            budget=Budget(false_rejections=1, jumps=1),
            jumps=(HOUR_PASSES,),
            other=other,
            before=1,
        ),
    )


VERSIONS: Final = (
    Scenario(
        name="quota", plans=("fffff",), budget=Budget(jumps=2), jumps=(DAY_PASSES, DAY_PASSES), quota=8, claims_a_day=3
    ),
    Scenario(
        name="quota, crash",
        plans=("ff", "s"),
        budget=Budget(crashes=1, losses=1, jumps=1),
        jumps=(DAY_PASSES,),
        quota=8,
        claims_a_day=3,
        before=3,
    ),
    Scenario(
        name="label lost, pruned",
        plans=("s", "s"),
        budget=Budget(operator=2, crashes=1),
        operator=(UNLABEL, MOVE_LABEL),
        before=5,
        quota=8,
        claims_a_day=3,
    ),
    Scenario(
        name="authorized, label lost, pruned",
        plans=("f", "f"),
        budget=Budget(operator=2),
        operator=(AUTHORIZE, UNLABEL),
        before=5,
        quota=8,
        claims_a_day=3,
    ),
    Scenario(
        name="unreadable claim",
        plans=("s", "f"),
        budget=Budget(operator=1, crashes=1, jumps=1),
        operator=(SPOIL_CLAIM, SPOIL_RECORD),
        jumps=(HOUR_PASSES,),
        before=1,
    ),
    *_moves(CLAIMS_TABLE),
    MOVED_AT_THE_LIMIT,
)


TABLE: Final = (
    Scenario(
        name="quota", plans=("fffff",), budget=Budget(jumps=2), jumps=(DAY_PASSES, DAY_PASSES), quota=8, claims_a_day=6
    ),
    Scenario(
        name="quota, crash",
        plans=("ff", "s"),
        budget=Budget(crashes=1, losses=1, jumps=1),
        jumps=(DAY_PASSES,),
        quota=8,
        claims_a_day=6,
        before=3,
    ),
    Scenario(
        name="table lost",
        plans=("s", "f"),
        budget=Budget(operator=1, crashes=1, losses=1, jumps=1),
        operator=(LOSE_TABLE,),
        jumps=(CLAIM_ENDS,),
        before=2,
    ),
    Scenario(
        name="table lost, an hour passes",
        plans=("ss", "f"),
        budget=Budget(operator=1, crashes=1, jumps=1),
        operator=(LOSE_TABLE,),
        jumps=(HOUR_PASSES,),
        before=1,
    ),
    Scenario(
        name="table restored",
        plans=("ss", "f"),
        budget=Budget(operator=1, crashes=1, losses=1),
        operator=(RESTORE_TABLE,),
        before=3,
    ),
    SHORT_LIVED,
    TABLE_LOST_FORCED,
    Scenario(
        name="authorized, table lost",
        plans=("f", "f"),
        budget=Budget(operator=2),
        operator=(AUTHORIZE, LOSE_TABLE),
        before=1,
    ),
    Scenario(name="fleet: a message comes twice", plans=("s", "s", "s"), budget=Budget(crashes=1, losses=1)),
    Scenario(
        name="fleet: a row is early, late or lost",
        plans=("sss", "ss"),
        budget=Budget(crashes=1, losses=1, jumps=2),
        jumps=(HOUR_PASSES, DAY_PASSES),
        due_seconds=WINDOW_SECONDS + HOUR_SECONDS,
    ),
    Scenario(
        name="fleet: the table is lost, the index rebuilt",
        plans=("s", "s", "s"),
        budget=Budget(operator=1, crashes=1),
        operator=(LOSE_TABLE,),
        before=1,
    ),
    Scenario(
        name="table lost twice",
        plans=("s", "s"),
        budget=Budget(operator=2, crashes=1, jumps=1),
        operator=(LOSE_TABLE,),
        jumps=(CLAIM_ENDS,),
        before=1,
    ),
    *_moves("versions"),
    *_moves(OTHER_TABLE),
    TWO_TABLES,
    MOVED_LOST,
)
