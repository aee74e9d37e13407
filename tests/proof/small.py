"""Small searches, in which planted bugs are found."""

from dataclasses import replace
from typing import Final

from proof.operators import (
    COPY_BACK,
    EDIT,
    EDIT_BARE,
    LOSE_SUCCESSOR,
    LOSE_TABLE,
    MOVE_BACK,
    REAUTHORIZE,
    RESTORE_TABLE,
    SPOIL_CLAIM,
    UNLABEL,
)
from proof.world import (
    CLAIM_ENDS,
    CLAIMS_TABLE,
    GRACE_SECONDS,
    HOUR_PASSES,
    HOUR_SECONDS,
    OTHER_TABLE,
    WINDOW_SECONDS,
    Budget,
    Deployment,
    Scenario,
)
from proof.world import OTHER_HOST as OTHER_HOST_NAME

# Small ones, in which planted bugs are found.
TWO: Final = Scenario(name="two", plans=("s", "f"), budget=Budget(crashes=1))


ALIKE: Final = replace(TWO, name="alike", plans=("s", "s"))


DYING: Final = Scenario(
    name="dying", plans=("s", "f"), budget=Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,)
)


GATEWAY: Final = Scenario(name="gateway", plans=("s", "s"), budget=Budget(gateway=2, jumps=1), jumps=(HOUR_PASSES,))


UNREAD: Final = Scenario(
    name="unread", plans=("s", "ss"), budget=Budget(unread=1, crashes=1, jumps=2), jumps=(HOUR_PASSES, HOUR_PASSES)
)


FORCED: Final = Scenario(name="forced", plans=("sf", "f"), budget=Budget(losses=2))


NAMED: Final = Scenario(
    name="named", plans=("sn", "n"), budget=Budget(crashes=2, losses=2, jumps=1), jumps=(CLAIM_ENDS,)
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
    name="short claims", plans=("s", "f"), budget=Budget(jumps=1), jumps=(31,), due_seconds=HOUR_SECONDS
)


PUBLISHED: Final = Scenario(
    name="published", plans=("s", "f"), budget=Budget(operator=1), operator=(REAUTHORIZE,), published=True
)


FROZEN: Final = Scenario(
    name="frozen", plans=("s", "n"), budget=Budget(jumps=1), jumps=(CLAIM_ENDS,), frozen=True, before=1
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


OLD_CLAIM_ENDS: Final = 121
"""When a claim ended that outlived its run by half a minute: within the time in which a write may land or be unseen."""


SHORT_CLAIM_ENDS: Final = 451
"""When a claim on a token of half an hour ends: before reads of ten minutes ago show what its run stored."""


LATE: Final = Scenario(
    name="late write",
    plans=("s", "s"),
    budget=Budget(late=1, jumps=2),
    jumps=(OLD_CLAIM_ENDS, CLAIM_ENDS),
    due_seconds=HOUR_SECONDS,
)


LONG_STALE: Final = Scenario(
    name="stale reads in the last quarter",
    plans=("s", "s"),
    budget=Budget(crashes=1, jumps=2, stale=3),
    stale_depth=8,
    jumps=(OLD_CLAIM_ENDS, CLAIM_ENDS),
    due_seconds=HOUR_SECONDS,
)


REFUSING: Final = Scenario(
    name="writes refused",
    claims="table",
    plans=("s", "f"),
    budget=Budget(outages=1, crashes=1, jumps=1),
    jumps=(CLAIM_ENDS,),
)


TWO_TABLES: Final = Scenario(
    name="two tables",
    claims=CLAIMS_TABLE,
    plans=("ss", "SS"),
    budget=Budget(jumps=1),
    jumps=(CLAIM_ENDS,),
    due_seconds=WINDOW_SECONDS // 4,
    other=Deployment(claims=OTHER_TABLE),
    before=1,
)


MOVED: Final = Scenario(name="moved", plans=("s", "m", "S"), other=Deployment(claims=CLAIMS_TABLE), before=1)


MOVED_AT_THE_LIMIT: Final = Scenario(
    name="moved at the limit",
    plans=("ffmFFF",),
    other=Deployment(claims=CLAIMS_TABLE),
    quota=9,
    claims_a_day=3,
    before=1,
)


PAUSED: Final = Scenario(
    name="paused", plans=("ss", "pr"), budget=Budget(crashes=1, jumps=1), jumps=(CLAIM_ENDS,), before=1
)


MOVED_TWICE: Final = replace(MOVED, name="moved twice", plans=("mS", "m"), budget=Budget(crashes=1))


MOVED_DYING: Final = replace(MOVED, name="moved, dying", budget=Budget(crashes=1))


MOVED_LOST: Final = Scenario(
    name="moved, then lost",
    claims=CLAIMS_TABLE,
    plans=("mS",),
    budget=Budget(operator=1),
    operator=(LOSE_TABLE,),
    other=Deployment(claims=OTHER_TABLE),
    before=1,
)


SHORT_LIVED: Final = Scenario(
    name="half an hour's tokens",
    claims=CLAIMS_TABLE,
    plans=("s", "s"),
    budget=Budget(jumps=1, stale=3),
    stale_depth=8,
    stale_seconds=600,
    jumps=(SHORT_CLAIM_ENDS,),
    between_runs=True,
    lifetime_seconds=1800,
    due_seconds=100,
)
