"""How many made-up values the random tests try."""

import os

SHARE = 1 if os.environ.get("EXAMPLES") == "all" else 10
"""`scripts/test` tries a tenth of them, others each time; with `EXAMPLES=all`, as each night, it tries all."""


def examples(count: int) -> int:
    """Return how many of `count` values to try."""
    return count // SHARE
