"""How many made-up values the random tests try, and that none of them has to be quick."""

import os

from hypothesis import HealthCheck, settings

SHARE = 1 if os.environ.get("EXAMPLES") == "all" else 10
"""`scripts/test` tries a tenth of them, others each time; with `EXAMPLES=all`, as each night, it tries all."""

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine can hold any value, or what makes it, for a second."""


def examples(count: int) -> int:
    """Return how many of `count` values to try."""
    return count // SHARE
