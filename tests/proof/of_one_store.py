"""Histories that only one kind of claim store can have."""

from typing import Final

from proof.operators import (
    AUTHORIZE,
    LOSE_TABLE,
    MOVE_LABEL,
    RESTORE_TABLE,
    SPOIL_CLAIM,
    SPOIL_RECORD,
    UNLABEL,
)
from proof.small import SHORT_LIVED, TABLE_LOST_FORCED
from proof.world import (
    CLAIM_ENDS,
    DAY_PASSES,
    HOUR_PASSES,
    HOUR_SECONDS,
    WINDOW_SECONDS,
    Budget,
    Scenario,
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
)
