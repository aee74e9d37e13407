"""The searches: which histories are explored, each for three kinds of provider, and a quick part of them for tests."""

from dataclasses import replace
from typing import Final

from proof.operators import EDIT, EDIT_PREVIOUS, MOVE_BACK, REAUTHORIZE, STAGE, UNLABEL
from proof.world import CLAIM_ENDS, Budget, Scenario

PROVIDERS: Final = ("single-use", "grace", "static")

ANYTHING: Final = (REAUTHORIZE, EDIT, EDIT_PREVIOUS, MOVE_BACK, UNLABEL, STAGE)


def _single_use(name: str, plans: tuple[str, ...], budget: Budget, **bounds: object) -> Scenario:
    return Scenario(name=name, provider="single-use", plans=plans, budget=budget, **bounds)  # type: ignore[arg-type]  # by name


# Small ones, in which planted bugs are found.
TWO: Final = _single_use("two", ("s", "f"), Budget(crashes=1))
DYING: Final = _single_use("dying", ("s", "f"), Budget(crashes=1, losses=1, jumps=1), jumps=(CLAIM_ENDS,))
REPLACED: Final = _single_use(
    "replaced", ("s", "f"), Budget(operator=1), operator=(REAUTHORIZE,)
)
EDITED: Final = _single_use("edited", ("s", "f"), Budget(operator=1), operator=(EDIT, EDIT_PREVIOUS))
EDITED_DYING: Final = _single_use(
    "edited, dying", ("s", "f"), Budget(crashes=1, operator=1, jumps=1), operator=(EDIT,), jumps=(CLAIM_ENDS,)
)
STAGED: Final = _single_use("staged", ("s", "s"), Budget(operator=1), operator=(STAGE,))
UNLABELLED: Final = _single_use("unlabelled", ("s", "s"), Budget(operator=1), operator=(UNLABEL,))
FAILING: Final = _single_use("failing", ("s", "f"), Budget(faults=1, jumps=1), jumps=(CLAIM_ENDS,))
SHORT_CLAIMS: Final = _single_use(
    "short claims", ("s", "f"), Budget(jumps=1), jumps=(31,), time_to_live_seconds=30
)
PUBLISHED: Final = _single_use(
    "published", ("s", "f"), Budget(operator=1), operator=(REAUTHORIZE,), published=True
)
