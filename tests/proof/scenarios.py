"""The searches: which histories are explored, for both claim stores and three kinds of provider."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from proof.commanded import AUTHORIZED, COMMANDED, OTHER_CLIENT, RESTORED, REVOKED
from proof.edges import DOUBTED, EDGES, FAR_BACK, FORCED_EARLY, KEPT_LOCKED, KEY_CHANGED, SAME_TOKENS, UNUSED
from proof.of_one_store import TABLE, VERSIONS
from proof.operators import (
    ANYTHING,
    AUTHORIZE,
    COPY_BACK,
    COPY_BACK_BARE,
    EDIT,
    EDIT_BARE,
    LABEL_BACK,
    MOVE_BACK,
    MOVE_LABEL,
    PUT_BACK,
    REAUTHORIZE,
    SPOIL_RECORD,
    SPOIL_STAGED,
    STAGE,
    UNLABEL,
)
from proof.outages import OUTAGES
from proof.put_back import BACK, BY_HAND, PUT_BACK_SEARCHES, REFUSED
from proof.small import (
    DYING,
    FILLED,
    FILLED_CLOCKS,
    FILLED_OLD_LIST,
    FORCED,
    GATEWAY,
    LABELLED,
    LATE,
    LONG_STALE,
    NAMED,
    REFUSING,
    SUCCESSOR_GONE,
    UNREAD,
)
from proof.world import (
    CLAIM_ENDS,
    CLOCKS_DIFFER,
    DAY_PASSES,
    GRACE_SECONDS,
    HOUR_PASSES,
    Budget,
    Deployment,
    Scenario,
    scenario,
)
from proof.world import OTHER_HOST as OTHER_HOST_NAME

STORES: Final = ("versions", "table")

PROVIDERS: Final = ("single-use", "grace", "static")


def full() -> list[Scenario]:
    """Return the full search."""
    # At a static provider, tokens that are lost cost nothing.
    outages = [s for s in _for("table", (*OUTAGES, KEPT_LOCKED, REFUSED)) if s.provider != "static"]
    everywhere = (*_ALL, *COMMANDED, *EDGES, *PUT_BACK_SEARCHES)
    return [*_everywhere(everywhere), *_for("versions", VERSIONS), *_for("table", TABLE), *outages]


def quick() -> list[Scenario]:
    """Return the part of it that the tests run: every kind of history, with tighter bounds."""
    everywhere = [replace(s, claims=store) for s in _QUICK for store in STORES]
    named = replace(NAMED, budget=Budget(crashes=1, losses=1, jumps=1))
    return [*everywhere, named, replace(REFUSING, plans=("sf",)), replace(KEPT_LOCKED, provider="grace")]


def _for(store: str, scenarios: Iterable[Scenario]) -> list[Scenario]:
    return [replace(s, claims=store, provider=provider) for s in scenarios for provider in PROVIDERS]


def _everywhere(scenarios: Iterable[Scenario]) -> list[Scenario]:
    scenarios = list(scenarios)
    return [one for store in STORES for one in _for(store, scenarios)]


_ALL: Final = (
    scenario("races", "s", "f", crashes=2, losses=1, jumps=(CLAIM_ENDS, CLAIM_ENDS)),
    scenario("successors", "ss", "fs", crashes=1, losses=1, jumps=(CLAIM_ENDS,)),
    scenario("a day passes", "ss", "f", crashes=1, losses=1, jumps=(CLAIM_ENDS, DAY_PASSES)),
    scenario("operator", "s", "s", crashes=1, jumps=(CLAIM_ENDS,), operator=ANYTHING, before=1),
    scenario("operator, forced run", "s", "f", operator=ANYTHING, before=1),
    scenario("operator, lost responses", "s", "s", losses=1, operator=ANYTHING, before=1),
    scenario("operator twice", "s", "s", operator=(REAUTHORIZE, AUTHORIZE, MOVE_BACK, UNLABEL), actions=2, before=1),
    scenario("operator twice, one worker", "sf", crashes=1, operator=ANYTHING, actions=2, before=1),
    scenario("faults", "s", "f", crashes=1, faults=1, jumps=(CLAIM_ENDS,), before=1),
    scenario("faults, operator", "s", "s", faults=1, operator=(REAUTHORIZE, EDIT)),
    scenario("frozen runs", "ss", "f", crashes=1, losses=1, jumps=(CLAIM_ENDS,), frozen=True),
    scenario("whole seconds", "s", "f", crashes=1, losses=1, jumps=(CLAIM_ENDS,), behind_seconds=0.9),
    scenario("whole seconds, operator", "s", "s", losses=1, operator=ANYTHING, behind_seconds=0.9),
    scenario("published", "s", "s", crashes=1, losses=1, published=True),
    scenario("published, operator", "s", "s", operator=(REAUTHORIZE,), published=True),
    scenario("published, moved back", "s", "s", operator=(MOVE_BACK, COPY_BACK), published=True, before=2),
    scenario("clock goes back", "s", "f", crashes=1, jumps=(-CLOCKS_DIFFER, CLAIM_ENDS), before=1),
    scenario("three workers", "s", "s", "f", crashes=1),
    scenario("three workers, operator", "s", "s", "s", operator=(REAUTHORIZE,)),
    scenario("stale reads", "ss", "f", stale=3, stale_depth=8, before=2),
    scenario("stale reads, crash", "s", "s", stale=3, crashes=1, stale_depth=8, jumps=(CLAIM_ENDS,), before=1),
    scenario(
        "stale reads, operator",
        "s",
        "f",
        stale=2,
        stale_depth=8,
        operator=(EDIT, REAUTHORIZE, UNLABEL, MOVE_LABEL),
        before=1,
    ),
    scenario("stale reads, old copies", "s", "s", stale=1, stale_depth=8, operator=(COPY_BACK, MOVE_BACK), before=2),
    scenario(
        "stale reads, published", "s", "s", stale=2, stale_depth=8, operator=(REAUTHORIZE,), published=True, before=1
    ),
    scenario("moved back twice", "s", operator=(MOVE_BACK, COPY_BACK, COPY_BACK_BARE), actions=2, before=3),
    scenario(
        "moved back, crash",
        "s",
        "s",
        crashes=1,
        operator=(MOVE_BACK, COPY_BACK, COPY_BACK_BARE),
        jumps=(CLAIM_ENDS,),
        before=3,
    ),
    scenario(
        "other grace",
        "s",
        "S",
        losses=1,
        crashes=1,
        operator=(REAUTHORIZE, AUTHORIZE, EDIT, EDIT_BARE),
        jumps=(CLAIM_ENDS,),
        other=Deployment(GRACE_SECONDS),
        before=1,
    ),
    scenario(
        "other host",
        "s",
        "S",
        losses=1,
        operator=(REAUTHORIZE, AUTHORIZE, EDIT, EDIT_BARE),
        jumps=(CLAIM_ENDS,),
        other=Deployment(GRACE_SECONDS, OTHER_HOST_NAME),
        before=1,
    ),
    scenario("false rejections", "ss", "s", false_rejections=2, jumps=(HOUR_PASSES, DAY_PASSES), before=1),
    scenario("false rejection, lost response", "ss", "f", false_rejections=1, losses=1, jumps=(HOUR_PASSES,), before=1),
    FILLED,
    FILLED_OLD_LIST,
    FILLED_CLOCKS,
    LABELLED,
    LATE,
    LONG_STALE,
    replace(NAMED, budget=Budget(crashes=1, losses=2, jumps=1)),
    UNREAD,
    scenario("gateway", "s", "f", gateway=2, crashes=1, jumps=(HOUR_PASSES,), before=1),
    replace(SUCCESSOR_GONE, jumps=(HOUR_PASSES,)),
    scenario("unreadable tokens", "s", "f", crashes=1, operator=(SPOIL_STAGED,), jumps=(HOUR_PASSES,), before=1),
    scenario("paused", "ss", "pr", crashes=1, losses=1, jumps=(CLAIM_ENDS,), before=1),
    scenario("paused, stale reads", "s", "ps", stale=2, stale_depth=8, before=1),
    scenario("paused, people", "s", "p", crashes=1, operator=(AUTHORIZE, EDIT, UNLABEL, MOVE_BACK), before=1),
    scenario("paused for too long", "s", "p", "s", crashes=1, jumps=(DAY_PASSES,), before=1),
)

_QUICK: Final = (
    AUTHORIZED,
    OTHER_CLIENT,
    RESTORED,
    replace(REVOKED, published=False),
    replace(DYING, name="races"),
    GATEWAY,
    replace(FORCED, plans=("sf",)),
    replace(KEY_CHANGED, plans=("ss",)),
    replace(FAR_BACK, plans=("s",), operator=(MOVE_BACK,)),
    replace(FORCED_EARLY, provider="grace"),
    DOUBTED,
    replace(SAME_TOKENS, plans=("ss",)),
    UNUSED,
    replace(BACK, plans=("s",), operator=(PUT_BACK, LABEL_BACK), jumps=(), budget=Budget(operator=1)),
    replace(BY_HAND, plans=("s",), operator=(PUT_BACK, LABEL_BACK), jumps=(), budget=Budget(operator=1)),
    scenario("operator", "s", "s", operator=(REAUTHORIZE, MOVE_BACK, STAGE), before=1),
    scenario("stale reads", "s", "s", stale=2, stale_depth=8, before=1),
    scenario("unreadable", "s", "s", operator=(SPOIL_RECORD, SPOIL_STAGED), before=1),
    scenario("false rejections", "s", "s", false_rejections=1, jumps=(HOUR_PASSES,), before=1),
    scenario("false rejections", "s", "s", false_rejections=1, jumps=(HOUR_PASSES,), before=1, provider="grace"),
)
