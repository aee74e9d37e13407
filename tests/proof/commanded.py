"""Searches in which a person's command goes on beside the runs: the command itself, and no stand-in."""

from dataclasses import replace
from typing import Final

from proof.operators import EDIT, LOSE_SUCCESSOR, MOVE_BACK, UNLABEL
from proof.world import CLAIM_ENDS, OTHER_TABLE, Budget, Deployment, Scenario

AUTHORIZED: Final = Scenario(name="authorized", plans=("f", "a"), budget=Budget(crashes=1), published=True)


AUTHORIZED_EDITED: Final = Scenario(
    name="authorized, edited", plans=("s", "a"), budget=Budget(operator=1), operator=(EDIT,)
)


AUTHORIZED_MOVED: Final = Scenario(
    name="authorized, moved", plans=("m", "a"), other=Deployment(claims=OTHER_TABLE), before=1
)


OTHER_CLIENT: Final = Scenario(name="another client", plans=("s", "c"), budget=Budget(crashes=1))


RESTORED: Final = Scenario(name="restored", plans=("s", "x"), budget=Budget(crashes=1), published=True, before=2)


REVOKED: Final = Scenario(name="revoked", plans=("s", "v"), budget=Budget(crashes=1), published=True, before=1)


COMMANDED: Final = (
    replace(AUTHORIZED, budget=Budget(crashes=2, losses=1)),
    replace(AUTHORIZED_EDITED, budget=Budget(crashes=1, operator=1)),
    Scenario(
        name="authorized after a dead run",
        plans=("sa", "s"),
        budget=Budget(crashes=1, losses=1, jumps=1),
        jumps=(CLAIM_ENDS,),
    ),
    Scenario(
        name="authorized, stale reads",
        plans=("s", "a"),
        budget=Budget(stale=2),
        stale_depth=8,
        published=True,
        before=1,
    ),
    Scenario(name="authorized, faults", plans=("s", "a"), budget=Budget(crashes=1, faults=1), before=1),
    Scenario(
        name="authorized, people",
        plans=("s", "a"),
        budget=Budget(crashes=1, operator=1),
        operator=(UNLABEL, MOVE_BACK),
        before=1,
    ),
    replace(AUTHORIZED_MOVED, plans=("mS", "a"), budget=Budget(crashes=1)),
    replace(OTHER_CLIENT, budget=Budget(crashes=1, losses=1, stale=1), stale_depth=8, before=1),
    replace(RESTORED, budget=Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,)),
    Scenario(name="restored, stale reads", plans=("s", "x"), budget=Budget(stale=2), stale_depth=8, before=2),
    Scenario(
        name="restored, people",
        plans=("s", "x"),
        budget=Budget(crashes=1, operator=1),
        operator=(EDIT, MOVE_BACK, LOSE_SUCCESSOR),
        before=2,
    ),
    replace(REVOKED, budget=Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,)),
    Scenario(name="revoked, stale reads", plans=("s", "v"), budget=Budget(stale=2), stale_depth=8, before=1),
    Scenario(name="revoked, authorized anew", plans=("s", "va"), budget=Budget(crashes=1), published=True),
    Scenario(name="commands at once", plans=("s", "a", "c"), budget=Budget(), before=1),
)
