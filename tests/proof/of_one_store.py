"""Histories that only one kind of claim store can have."""

from typing import Final

from proof.commanded import AUTHORIZED_TABLE_LOST
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
from proof.small import MOVED_AT_THE_LIMIT, MOVED_LOST, SHORT_LIVED, TABLE_LOST_FORCED, TWO_TABLES
from proof.world import (
    CLAIM_ENDS,
    CLAIMS_TABLE,
    DAY_PASSES,
    HOUR_PASSES,
    HOUR_SECONDS,
    OTHER_TABLE,
    PLACES_FREE,
    WINDOW_SECONDS,
    Deployment,
    Scenario,
    scenario,
)


def _moves(to: str) -> tuple[Scenario, ...]:
    """Return the histories in which claims are moved, at any point of a run."""
    other = Deployment(claims=to)
    return (
        scenario(f"moved to {to}", "s", "mm", "S", crashes=1, other=other, before=1),
        scenario(f"moved to {to}, never claimed", "s", "mmS", crashes=1, other=other),
        scenario(
            f"moved to {to}, dying", "s", "m", "S", crashes=1, losses=1, jumps=(CLAIM_ENDS,), other=other, before=1
        ),
        scenario(f"moved to {to} and back", "s", "mb", "S", other=other, before=1),
        scenario(f"moved to {to}, people", "s", "mS", crashes=1, operator=(EDIT, REAUTHORIZE), other=other, before=1),
        scenario(
            f"moved to {to}, old sets", "m", "S", operator=(AUTHORIZE, MOVE_BACK, COPY_BACK), other=other, before=4
        ),
        scenario(f"moved to {to}, faults", "s", "mm", faults=1, other=other, before=1),
        scenario(f"moved to {to}, stale reads", "s", "mS", stale=2, stale_depth=8, other=other, before=1),
        scenario(
            f"moved to {to}, false rejections",
            "s",
            "mS",
            false_rejections=1,
            jumps=(HOUR_PASSES,),
            other=other,
            before=1,
        ),
    )


VERSIONS: Final = (
    scenario("quota", "fffff", jumps=(PLACES_FREE, PLACES_FREE), quota=11, claims_a_day=3),
    scenario("quota, crash", "ff", "s", crashes=1, losses=1, jumps=(PLACES_FREE,), quota=10, claims_a_day=3, before=3),
    scenario(
        "label lost, pruned",
        "s",
        "s",
        crashes=1,
        operator=(UNLABEL, MOVE_LABEL),
        actions=2,
        before=5,
        quota=10,
        claims_a_day=3,
    ),
    scenario(
        "authorized, label lost, pruned",
        "f",
        "f",
        operator=(AUTHORIZE, UNLABEL),
        actions=2,
        before=5,
        quota=10,
        claims_a_day=3,
    ),
    scenario(
        "unreadable claim", "s", "f", crashes=1, operator=(SPOIL_CLAIM, SPOIL_RECORD), jumps=(HOUR_PASSES,), before=1
    ),
    *_moves(CLAIMS_TABLE),
    MOVED_AT_THE_LIMIT,
)

TABLE: Final = (
    scenario("quota", "fffff", jumps=(PLACES_FREE, PLACES_FREE), quota=10, claims_a_day=6),
    scenario("quota, crash", "ff", "s", crashes=1, losses=1, jumps=(PLACES_FREE,), quota=10, claims_a_day=6, before=3),
    scenario("table lost", "s", "f", crashes=1, losses=1, operator=(LOSE_TABLE,), jumps=(CLAIM_ENDS,), before=2),
    scenario(
        "table lost, an hour passes", "ss", "f", crashes=1, operator=(LOSE_TABLE,), jumps=(HOUR_PASSES,), before=1
    ),
    scenario("table restored", "ss", "f", crashes=1, losses=1, operator=(RESTORE_TABLE,), before=3),
    SHORT_LIVED,
    TABLE_LOST_FORCED,
    scenario("authorized, table lost", "f", "f", operator=(AUTHORIZE, LOSE_TABLE), actions=2, before=1),
    AUTHORIZED_TABLE_LOST,
    scenario("fleet: a message comes twice", "s", "s", "s", crashes=1, losses=1),
    scenario(
        "fleet: a row is early, late or lost",
        "sss",
        "ss",
        crashes=1,
        losses=1,
        jumps=(HOUR_PASSES, DAY_PASSES),
        due_seconds=WINDOW_SECONDS + HOUR_SECONDS,
    ),
    scenario("fleet: the table is lost, the index rebuilt", "s", "s", "s", crashes=1, operator=(LOSE_TABLE,), before=1),
    scenario("table lost twice", "s", "s", crashes=1, operator=(LOSE_TABLE,), actions=2, jumps=(CLAIM_ENDS,), before=1),
    *_moves("versions"),
    *_moves(OTHER_TABLE),
    TWO_TABLES,
    MOVED_LOST,
)
