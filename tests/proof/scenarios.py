"""The searches: which histories are explored, for both claim stores and three kinds of provider."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from proof.commanded import AUTHORIZED, COMMANDED, OTHER_CLIENT, RESTORED, REVOKED
from proof.edges import EDGES, FAR_BACK, FORCED_EARLY, KEPT_LOCKED, KEY_CHANGED
from proof.of_one_store import TABLE, VERSIONS
from proof.operators import (
    ANYTHING,
    AUTHORIZE,
    COPY_BACK,
    COPY_BACK_BARE,
    EDIT,
    EDIT_BARE,
    MOVE_BACK,
    MOVE_LABEL,
    REAUTHORIZE,
    SPOIL_RECORD,
    SPOIL_STAGED,
    STAGE,
    UNLABEL,
)
from proof.outages import OUTAGES
from proof.small import DYING, FORCED, GATEWAY, LATE, LONG_STALE, NAMED, REFUSING, SUCCESSOR_GONE, UNREAD
from proof.world import (
    CLAIM_ENDS,
    CLOCKS_DIFFER,
    DAY_PASSES,
    GRACE_SECONDS,
    HOUR_PASSES,
    Budget,
    Deployment,
    Scenario,
)
from proof.world import OTHER_HOST as OTHER_HOST_NAME

STORES: Final = ("versions", "table")


PROVIDERS: Final = ("single-use", "grace", "static")


def full() -> list[Scenario]:
    """Give the full search."""
    # At a static provider, tokens that are lost cost nothing.
    outages = [s for s in _for("table", (*OUTAGES, KEPT_LOCKED)) if s.provider != "static"]
    return [*_everywhere((*_ALL, *COMMANDED, *EDGES)), *_for("versions", VERSIONS), *_for("table", TABLE), *outages]


def quick() -> list[Scenario]:
    """Give the part of it that the tests run: every kind of history, with tighter bounds."""
    single = [s for s in _QUICK if s.provider == "single-use"]
    edges = [KEY_CHANGED, FAR_BACK, replace(FORCED_EARLY, provider="grace")]
    everywhere = [replace(s, claims=store) for s in (*single, *edges) for store in STORES]
    return [*everywhere, REFUSING, replace(KEPT_LOCKED, provider="grace")]


def _for(store: str, scenarios: Iterable[Scenario]) -> list[Scenario]:
    return [replace(s, claims=store, provider=provider) for s in scenarios for provider in PROVIDERS]


def _everywhere(scenarios: Iterable[Scenario]) -> list[Scenario]:
    scenarios = list(scenarios)
    return [one for store in STORES for one in _for(store, scenarios)]


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
    LATE,
    LONG_STALE,
    replace(NAMED, budget=Budget(crashes=1, losses=2, jumps=1)),
    UNREAD,
    Scenario(
        name="gateway",
        plans=("s", "f"),
        budget=Budget(gateway=2, crashes=1, jumps=1),
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
    Scenario(
        name="paused",
        plans=("ss", "pr"),
        budget=Budget(crashes=1, losses=1, jumps=1),
        jumps=(CLAIM_ENDS,),
        before=1,
    ),
    Scenario(name="paused, stale reads", plans=("s", "ps"), budget=Budget(stale=2), stale_depth=8, before=1),
    Scenario(
        name="paused, people",
        plans=("s", "p"),
        budget=Budget(crashes=1, operator=1),
        operator=(AUTHORIZE, EDIT, UNLABEL, MOVE_BACK),
        before=1,
    ),
    Scenario(
        name="paused for too long",
        plans=("s", "p", "s"),
        budget=Budget(crashes=1, jumps=1),
        jumps=(DAY_PASSES,),
        before=1,
    ),
)


_QUICK: Final = (
    AUTHORIZED,
    OTHER_CLIENT,
    RESTORED,
    REVOKED,
    replace(DYING, name="races"),
    GATEWAY,
    FORCED,
    NAMED,
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
