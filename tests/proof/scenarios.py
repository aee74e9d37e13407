"""The searches: which histories are explored, for both claim stores and three kinds of provider."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from proof.operators import (
    ANYTHING,
    AUTHORIZE,
    COPY_BACK,
    COPY_BACK_BARE,
    EDIT,
    EDIT_BARE,
    LOSE_SUCCESSOR,
    LOSE_TABLE,
    MOVE_BACK,
    MOVE_LABEL,
    REAUTHORIZE,
    RESTORE_TABLE,
    SPOIL_CLAIM,
    SPOIL_RECORD,
    SPOIL_STAGED,
    STAGE,
    UNLABEL,
)
from proof.starts import V1_STARTS
from proof.world import (
    CLAIM_ENDS,
    CLOCKS_DIFFER,
    DAY_PASSES,
    GRACE_SECONDS,
    HOUR_PASSES,
    HOUR_SECONDS,
    WINDOW_SECONDS,
    Budget,
    Deployment,
    Scenario,
)
from proof.world import OTHER_HOST as OTHER_HOST_NAME

STORES: Final = ("versions", "table")
PROVIDERS: Final = ("single-use", "grace", "static")


def full() -> list[Scenario]:
    """Give the full search."""
    return [*_everywhere(_ALL), *_for("versions", _VERSIONS), *_for("table", _TABLE)]


def quick() -> list[Scenario]:
    """Give the part of it that the tests run: every kind of history, with tighter bounds."""
    single = [s for s in _QUICK if s.provider == "single-use"]
    return [replace(s, claims=store) for s in single for store in STORES]


def _for(store: str, scenarios: Iterable[Scenario]) -> list[Scenario]:
    return [replace(s, claims=store, provider=provider) for s in scenarios for provider in PROVIDERS]


def _everywhere(scenarios: Iterable[Scenario]) -> list[Scenario]:
    scenarios = list(scenarios)
    return [one for store in STORES for one in _for(store, scenarios)]


# Small ones, in which planted bugs are found.
TWO: Final = Scenario(name="two", plans=("s", "f"), budget=Budget(crashes=1))
ALIKE: Final = replace(TWO, name="alike", plans=("s", "s"))
DYING: Final = Scenario(
    name="dying", plans=("s", "f"), budget=Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,)
)
REPLACED: Final = Scenario(name="replaced", plans=("s", "f"), budget=Budget(operator=1), operator=(REAUTHORIZE,))
EDITED: Final = Scenario(name="edited", plans=("s", "f"), budget=Budget(operator=1), operator=(EDIT, COPY_BACK))
EDITED_DYING: Final = Scenario(
    name="edited, dying",
    plans=("s", "f"),
    budget=Budget(crashes=1, operator=1, jumps=1),
    operator=(EDIT,),
    jumps=(CLAIM_ENDS,),
)
SHORT_CLAIMS: Final = Scenario(
    name="short claims", plans=("s", "f"), budget=Budget(jumps=1), jumps=(31,), time_to_live_seconds=30
)
PUBLISHED: Final = Scenario(
    name="published", plans=("s", "f"), budget=Budget(operator=1), operator=(REAUTHORIZE,), published=True
)

FROZEN: Final = Scenario(
    name="frozen", plans=("s", "f"), budget=Budget(jumps=1), jumps=(CLAIM_ENDS,), frozen=True, before=1
)
BEHIND: Final = Scenario(
    name="whole seconds", plans=("s", "s"), budget=Budget(losses=1, operator=1), operator=(EDIT,), behind_seconds=0.9
)
REJECTED: Final = Scenario(
    name="rejected", plans=("s", "f"), budget=Budget(false_rejections=1, jumps=1), jumps=(HOUR_PASSES,), before=1
)
MOVED_BACK: Final = Scenario(
    name="moved back", plans=("s",), budget=Budget(operator=1), operator=(MOVE_BACK, COPY_BACK), before=3
)
SUCCESSOR_GONE: Final = Scenario(
    name="successor gone",
    plans=("s", "s"),
    budget=Budget(crashes=1, operator=2, jumps=1),
    operator=(MOVE_BACK, LOSE_SUCCESSOR),
    jumps=(CLAIM_ENDS,),
    before=2,
)
OTHER_GRACE: Final = Scenario(
    name="other grace",
    plans=("s", "S"),
    budget=Budget(losses=1, operator=1, jumps=1),
    operator=(REAUTHORIZE, EDIT_BARE),
    jumps=(CLAIM_ENDS,),
    other=Deployment(GRACE_SECONDS),
    before=1,
)
OTHER_HOST: Final = replace(
    OTHER_GRACE, name="other host", budget=Budget(operator=1), other=Deployment(GRACE_SECONDS, OTHER_HOST_NAME)
)
VERSION_1: Final = Scenario(
    name="version 1", start="v1 unknown", plans=("s",), budget=Budget(operator=1), operator=(EDIT,)
)
STALE: Final = Scenario(name="stale", plans=("s", "s"), budget=Budget(stale=3), stale_depth=8, before=1)
STALE_SUCCESSORS: Final = Scenario(
    name="stale, successors", plans=("sf", "s"), budget=Budget(stale=3), stale_depth=8, before=1
)
STALE_PUBLISHED: Final = Scenario(
    name="stale, published",
    plans=("s", "s"),
    budget=Budget(stale=3, operator=1),
    stale_depth=8,
    operator=(REAUTHORIZE,),
    published=True,
    before=1,
)
UNLABELLED: Final = Scenario(
    name="unlabelled",
    plans=("s", "s"),
    budget=Budget(operator=1),
    operator=(UNLABEL,),
    before=5,
    quota=8,
    claims_a_day=3,
)
UNANCHORED: Final = Scenario(
    name="first claim unlabelled", plans=("s", "s"), budget=Budget(operator=1), operator=(UNLABEL,)
)
UNREADABLE: Final = Scenario(
    name="unreadable", plans=("s", "s"), budget=Budget(operator=1), operator=(SPOIL_CLAIM,), before=1
)
QUOTA: Final = Scenario(name="quota", plans=("fffff",), budget=Budget(jumps=0), quota=8, claims_a_day=3)
HALF_THE_QUOTA: Final = replace(QUOTA, name="half the quota", claims_a_day=4)
TABLE_LOST: Final = Scenario(
    name="table lost",
    claims="table",
    plans=("s", "f"),
    budget=Budget(operator=1, crashes=1),
    operator=(LOSE_TABLE,),
    before=1,
)
TABLE_RESTORED: Final = replace(TABLE_LOST, name="table restored", operator=(RESTORE_TABLE,), before=3)
TABLE_LOST_FORCED: Final = Scenario(
    name="table lost, forced runs",
    claims="table",
    plans=("s", "ff"),
    budget=Budget(operator=1, crashes=1),
    operator=(LOSE_TABLE,),
    before=1,
)
TABLE_LOST_TWO: Final = replace(
    TABLE_LOST, name="table lost, two claims", plans=("s", "s"), budget=Budget(faults=1, operator=1, crashes=1)
)

_ALL: Final = (
    Scenario(
        name="races",
        plans=("s", "f"),
        budget=Budget(crashes=2, losses=1, jumps=2),
        jumps=(CLAIM_ENDS, CLAIM_ENDS),
    ),
    Scenario(name="successors", plans=("ss", "fs"), budget=Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,)),
    Scenario(
        name="a day passes",
        plans=("ss", "f"),
        budget=Budget(crashes=1, losses=1, jumps=2),
        jumps=(CLAIM_ENDS, DAY_PASSES),
    ),
    Scenario(
        name="operator",
        plans=("s", "s"),
        budget=Budget(crashes=1, operator=1, jumps=1),
        jumps=(CLAIM_ENDS,),
        operator=ANYTHING,
        before=1,
    ),
    Scenario(name="operator, forced run", plans=("s", "f"), budget=Budget(operator=1), operator=ANYTHING, before=1),
    Scenario(
        name="operator, lost responses",
        plans=("s", "s"),
        budget=Budget(losses=1, operator=1),
        operator=ANYTHING,
        before=1,
    ),
    Scenario(
        name="operator twice",
        plans=("s", "s"),
        budget=Budget(operator=2),
        operator=(REAUTHORIZE, AUTHORIZE, MOVE_BACK, UNLABEL),
        before=1,
    ),
    Scenario(
        name="operator twice, one worker",
        plans=("sf",),
        budget=Budget(crashes=1, operator=2),
        operator=ANYTHING,
        before=1,
    ),
    Scenario(
        name="faults", plans=("s", "f"), budget=Budget(crashes=1, faults=1, jumps=1), jumps=(CLAIM_ENDS,), before=1
    ),
    Scenario(
        name="faults, operator", plans=("s", "s"), budget=Budget(faults=1, operator=1), operator=(REAUTHORIZE, EDIT)
    ),
    Scenario(
        name="frozen runs",
        plans=("ss", "f"),
        budget=Budget(crashes=1, losses=1, jumps=1),
        jumps=(CLAIM_ENDS,),
        frozen=True,
    ),
    Scenario(
        name="whole seconds",
        plans=("s", "f"),
        budget=Budget(crashes=1, losses=1, jumps=1),
        jumps=(CLAIM_ENDS,),
        behind_seconds=0.9,
    ),
    Scenario(
        name="whole seconds, operator",
        plans=("s", "s"),
        budget=Budget(losses=1, operator=1),
        operator=ANYTHING,
        behind_seconds=0.9,
    ),
    Scenario(name="published", plans=("s", "s"), budget=Budget(crashes=1, losses=1), published=True),
    Scenario(
        name="published, operator", plans=("s", "s"), budget=Budget(operator=1), operator=(REAUTHORIZE,), published=True
    ),
    Scenario(
        name="published, moved back",
        plans=("s", "s"),
        budget=Budget(operator=1),
        operator=(MOVE_BACK, COPY_BACK),
        published=True,
        before=2,
    ),
    Scenario(
        name="clock goes back",
        plans=("s", "f"),
        budget=Budget(crashes=1, jumps=2),
        jumps=(-CLOCKS_DIFFER, CLAIM_ENDS),
        before=1,
    ),
    Scenario(name="three workers", plans=("s", "s", "f"), budget=Budget(crashes=1)),
    Scenario(name="three workers, operator", plans=("s", "s", "s"), budget=Budget(operator=1), operator=(REAUTHORIZE,)),
    Scenario(name="stale reads", plans=("ss", "f"), budget=Budget(stale=3), stale_depth=8, before=2),
    Scenario(
        name="stale reads, crash",
        plans=("s", "s"),
        budget=Budget(stale=3, crashes=1, jumps=1),
        stale_depth=8,
        jumps=(CLAIM_ENDS,),
        before=1,
    ),
    Scenario(
        name="stale reads, operator",
        plans=("s", "f"),
        budget=Budget(stale=2, operator=1),
        stale_depth=8,
        operator=(EDIT, REAUTHORIZE, UNLABEL, MOVE_LABEL),
        before=1,
    ),
    Scenario(
        name="stale reads, old copies",
        plans=("s", "s"),
        budget=Budget(stale=1, operator=1),
        stale_depth=8,
        operator=(COPY_BACK, MOVE_BACK),
        before=2,
    ),
    Scenario(
        name="stale reads, published",
        plans=("s", "s"),
        budget=Budget(stale=2, operator=1),
        stale_depth=8,
        operator=(REAUTHORIZE,),
        published=True,
        before=1,
    ),
    Scenario(
        name="moved back twice",
        plans=("s",),
        budget=Budget(operator=2),
        operator=(MOVE_BACK, COPY_BACK, COPY_BACK_BARE),
        before=3,
    ),
    Scenario(
        name="moved back, crash",
        plans=("s", "s"),
        budget=Budget(operator=1, crashes=1, jumps=1),
        operator=(MOVE_BACK, COPY_BACK, COPY_BACK_BARE),
        jumps=(CLAIM_ENDS,),
        before=3,
    ),
    Scenario(
        name="other grace",
        plans=("s", "S"),
        budget=Budget(losses=1, crashes=1, operator=1, jumps=1),
        operator=(REAUTHORIZE, AUTHORIZE, EDIT, EDIT_BARE),
        jumps=(CLAIM_ENDS,),
        other=Deployment(GRACE_SECONDS),
        before=1,
    ),
    Scenario(
        name="other host",
        plans=("s", "S"),
        budget=Budget(losses=1, operator=1, jumps=1),
        operator=(REAUTHORIZE, AUTHORIZE, EDIT, EDIT_BARE),
        jumps=(CLAIM_ENDS,),
        other=Deployment(GRACE_SECONDS, OTHER_HOST_NAME),
        before=1,
    ),
    Scenario(
        name="false rejections",
        plans=("ss", "s"),
        budget=Budget(false_rejections=2, jumps=2),
        jumps=(HOUR_PASSES, DAY_PASSES),
        before=1,
    ),
    Scenario(
        name="false rejection, lost response",
        plans=("ss", "f"),
        budget=Budget(false_rejections=1, losses=1, jumps=1),
        jumps=(HOUR_PASSES,),
        before=1,
    ),
    replace(SUCCESSOR_GONE, jumps=(HOUR_PASSES,)),
    Scenario(
        name="unreadable tokens",
        plans=("s", "f"),
        budget=Budget(operator=1, crashes=1, jumps=1),
        operator=(SPOIL_STAGED,),
        jumps=(HOUR_PASSES,),
        before=1,
    ),
)
_VERSIONS: Final = (
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
    *(
        Scenario(
            name=start,
            start=start,
            plans=("s", "f"),
            budget=Budget(crashes=1, operator=1, jumps=1),
            operator=(EDIT, MOVE_BACK),
            jumps=(CLAIM_ENDS,),
        )
        for start in V1_STARTS
    ),
)
_TABLE: Final = (
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
_QUICK: Final = (
    replace(DYING, name="races"),
    Scenario(
        name="operator", plans=("s", "s"), budget=Budget(operator=1), operator=(REAUTHORIZE, MOVE_BACK, STAGE), before=1
    ),
    Scenario(name="stale reads", plans=("s", "s"), budget=Budget(stale=2), stale_depth=8, before=1),
    Scenario(
        name="unreadable",
        plans=("s", "s"),
        budget=Budget(operator=1),
        operator=(SPOIL_RECORD, SPOIL_STAGED),
        before=1,
    ),
    Scenario(
        name="false rejections",
        plans=("s", "s"),
        budget=Budget(false_rejections=1, jumps=1),
        jumps=(HOUR_PASSES,),
        before=1,
    ),
)
