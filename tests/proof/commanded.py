"""Searches in which a person's command goes on beside the runs: the command itself, and no stand-in."""

from dataclasses import replace
from typing import Final

from proof.operators import EDIT, LOSE_SUCCESSOR, LOSE_TABLE, MOVE_BACK, UNLABEL
from proof.world import CLAIM_ENDS, HOUR_PASSES, OTHER_TABLE, Budget, Deployment, scenario

AUTHORIZED: Final = scenario("authorized", "f", "a", crashes=1, published=True)
AUTHORIZED_EDITED: Final = scenario("authorized, edited", "s", "a", operator=(EDIT,))
AUTHORIZED_MOVED: Final = scenario("authorized, moved", "m", "a", other=Deployment(claims=OTHER_TABLE), before=1)
AUTHORIZED_TABLE_LOST: Final = scenario(
    "table lost, authorized", "f", "a", crashes=1, claims="table", operator=(LOSE_TABLE,), before=1
)
OTHER_CLIENT: Final = scenario("another client", "s", "c", crashes=1)
RESTORED: Final = scenario("restored", "s", "x", crashes=1, published=True, before=2)
REVOKED: Final = scenario("revoked", "s", "v", crashes=1, published=True, before=1)
RECOVERED: Final = scenario("recovered", "s", "o", unread=1, crashes=1)
RECOVERED_AGAIN: Final = scenario("recovered again", "s", "wos", unread=1)
RECOVERED_DYING: Final = scenario(
    "recovered again, dying", "s", "wos", provider="static", unread=1, crashes=1, jumps=(CLAIM_ENDS,)
)
RECOVERED_USED: Final = scenario("recovered, used, recovered", "s", "ofo", unread=1)  # codespell:ignore - kinds of runs

COMMANDED: Final = (
    replace(AUTHORIZED, budget=Budget(crashes=2, losses=1)),
    replace(AUTHORIZED_EDITED, budget=Budget(crashes=1, operator=1)),
    scenario("authorized after a dead run", "sa", "s", crashes=1, losses=1, jumps=(CLAIM_ENDS,)),
    scenario("authorized, stale reads", "s", "a", stale=2, stale_depth=8, published=True, before=1),
    scenario("authorized, faults", "s", "a", crashes=1, faults=1, before=1),
    scenario("authorized, people", "s", "a", crashes=1, operator=(UNLABEL, MOVE_BACK), before=1),
    replace(AUTHORIZED_MOVED, plans=("mS", "a"), budget=Budget(crashes=1)),
    replace(OTHER_CLIENT, budget=Budget(crashes=1, losses=1, stale=1), stale_depth=8, before=1),
    replace(RESTORED, budget=Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,)),
    scenario("restored, stale reads", "s", "x", stale=2, stale_depth=8, before=2),
    scenario("restored, people", "s", "x", crashes=1, operator=(EDIT, MOVE_BACK, LOSE_SUCCESSOR), before=2),
    replace(REVOKED, budget=Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,)),
    scenario("revoked, stale reads", "s", "v", stale=2, stale_depth=8, before=1),
    scenario("revoked, authorized anew", "s", "va", crashes=1, published=True),
    replace(RECOVERED, budget=Budget(unread=1, crashes=2, losses=1, jumps=2), jumps=(HOUR_PASSES, HOUR_PASSES)),
    replace(RECOVERED_AGAIN, plans=("sf", "wos"), budget=Budget(unread=1, crashes=1)),
    RECOVERED_DYING,
    RECOVERED_USED,
    scenario("recovered, people", "s", "wo", unread=1, operator=(EDIT, MOVE_BACK, UNLABEL), before=1),
    scenario("recovered, stale reads", "s", "o", unread=1, stale=2, stale_depth=8, before=1),
    scenario("recovered beside a restore", "s", "o", "x", unread=1, before=2),
    scenario("commands at once", "s", "a", "c", before=1),
)
