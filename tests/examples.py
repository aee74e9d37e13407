"""How many made-up values the random tests try, and which rows of a long table."""

import os
import random
from collections.abc import Sequence
from typing import Final, TypeVar

Row = TypeVar("Row")

SHARE = 1 if os.environ.get("EXAMPLES") == "all" else 10
"""`scripts/test` tries a tenth of them, others each time; with `EXAMPLES=all`, as each night, it tries all."""
SEED: Final = int(os.environ.setdefault("EXAMPLES_SEED", str(random.SystemRandom().randrange(1000))))
"""Where a part begins. pytest prints it, and its workers inherit it, so that all collect the same tests."""


def examples(count: int) -> int:
    """Return how many of `count` values to try."""
    return count // SHARE


def drawn(rows: Sequence[Row], share: int) -> list[Row]:
    """Return each `share`-th row, beginning anywhere; all with `EXAMPLES=all`.

    Of a product of lists, a part has each value of each list if `share` has no divisor in common with their lengths.
    """
    return [*rows] if SHARE == 1 else [*rows[SEED % share :: share]]


def drawn_at(rows: Sequence[Row], place: int) -> list[Row]:
    """Return one of the rows, the next one for the next `place`; all with `EXAMPLES=all`."""
    return [*rows] if SHARE == 1 else [rows[(SEED + place) % len(rows)]]
