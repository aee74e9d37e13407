"""The searches: which histories are explored, each for three kinds of provider, and a quick part of them for tests."""

from dataclasses import replace
from typing import Final

from proof.operators import EDIT, EDIT_PREVIOUS, MOVE_BACK, REAUTHORIZE, STAGE, UNLABEL
from proof.world import CLAIM_ENDS, GRACE_ENDS, Budget, Scenario

PROVIDERS: Final = ("single-use", "grace", "static")

ANYTHING: Final = (REAUTHORIZE, EDIT, EDIT_PREVIOUS, MOVE_BACK, UNLABEL, STAGE)


def full() -> list[Scenario]:
    """Give the full search."""
    return [replace(scenario, provider=provider) for scenario in _FULL for provider in PROVIDERS]


def quick() -> list[Scenario]:
    """Give the part of it that the tests run: every kind of history, with tighter bounds."""
    return [replace(scenario, provider=provider) for scenario in _QUICK for provider in PROVIDERS]


def _single_use(name: str, plans: tuple[str, ...], budget: Budget, **bounds: object) -> Scenario:
    return Scenario(name=name, provider="single-use", plans=plans, budget=budget, **bounds)  # type: ignore[arg-type]  # by name


# Small ones, in which planted bugs are found.
TWO: Final = _single_use("two", ("s", "f"), Budget(crashes=1))
DYING: Final = _single_use("dying", ("s", "f"), Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,))
REPLACED: Final = _single_use("replaced", ("s", "f"), Budget(operator=1), operator=(REAUTHORIZE,))
EDITED: Final = _single_use("edited", ("s", "f"), Budget(operator=1), operator=(EDIT, EDIT_PREVIOUS))
EDITED_DYING: Final = _single_use(
    "edited, dying", ("s", "f"), Budget(crashes=1, operator=1, jumps=1), operator=(EDIT,), jumps=(CLAIM_ENDS,)
)
STAGED: Final = _single_use("staged", ("s", "s"), Budget(operator=1), operator=(STAGE,))
UNLABELLED: Final = _single_use("unlabelled", ("s", "s"), Budget(operator=1), operator=(UNLABEL,))
FAILING: Final = _single_use("failing", ("s", "f"), Budget(faults=1, jumps=1), jumps=(CLAIM_ENDS,))
SHORT_CLAIMS: Final = _single_use("short claims", ("s", "f"), Budget(jumps=1), jumps=(31,), time_to_live_seconds=30)
WHOLE_SECONDS: Final = _single_use(
    "whole seconds", ("s", "s"), Budget(losses=1, operator=1), operator=(EDIT,), floored=True
)
PUBLISHED: Final = _single_use("published", ("s", "f"), Budget(operator=1), operator=(REAUTHORIZE,), published=True)

_FULL: Final = (
    _single_use("races", ("s", "f"), Budget(crashes=2, losses=1, jumps=2), jumps=(CLAIM_ENDS, CLAIM_ENDS)),
    _single_use("successors", ("ss", "fs"), Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,)),
    _single_use("a day passes", ("ss", "f"), Budget(crashes=1, losses=1, jumps=2), jumps=(CLAIM_ENDS, GRACE_ENDS)),
    _single_use("operator", ("s", "s"), Budget(crashes=1, operator=1, jumps=1), jumps=(CLAIM_ENDS,), operator=ANYTHING),
    _single_use("operator, forced run", ("s", "f"), Budget(operator=1), operator=ANYTHING),
    _single_use("operator, replies lost", ("s", "s"), Budget(losses=1, operator=1), operator=ANYTHING),
    _single_use("operator twice", ("s", "s"), Budget(operator=2), operator=(REAUTHORIZE, MOVE_BACK, UNLABEL)),
    _single_use("operator twice, one worker", ("sf",), Budget(crashes=1, operator=2), operator=ANYTHING),
    _single_use("faults", ("s", "f"), Budget(crashes=1, faults=1, jumps=1), jumps=(CLAIM_ENDS,)),
    _single_use("faults, operator", ("s", "s"), Budget(faults=1, operator=1), operator=(REAUTHORIZE, EDIT)),
    _single_use("paused", ("s", "s"), Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,), paused=True),
    _single_use("whole seconds", ("s", "f"), Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,), floored=True),
    _single_use("whole seconds, operator", ("s", "s"), WHOLE_SECONDS.budget, operator=ANYTHING, floored=True),
    _single_use("published", ("s", "s"), Budget(crashes=1, losses=1), published=True),
    _single_use("published, operator", ("s", "s"), Budget(operator=1), operator=(REAUTHORIZE,), published=True),
    _single_use("three workers", ("s", "s", "f"), Budget(crashes=1)),
    _single_use("three workers, operator", ("s", "s", "s"), Budget(operator=1), operator=(REAUTHORIZE,)),
)
_QUICK: Final = (
    replace(DYING, name="races"),
    _single_use("operator", ("s", "s"), Budget(operator=1), operator=(REAUTHORIZE, MOVE_BACK, UNLABEL, STAGE)),
)
