"""What a fleet declares: the states of its secrets, and the reasons of its breakers."""

from __future__ import annotations

from pages.docstrings import attributes, table
from token_refresh_worker.fleet.core.breaker import PAUSES, BreakerReason
from token_refresh_worker.fleet.core.row import State


def states() -> str:
    """Return each state with what to do."""
    docs = attributes(State)
    rows = ((f"`{state.value}`", docs[state.name].meaning, docs[state.name].fix) for state in State)
    return table(("state", "meaning", "what to do"), *rows)


def breakers() -> str:
    """Return each reason for a breaker with its pause."""
    docs = attributes(BreakerReason)
    rows = ((docs[reason.name].meaning, f"{pause.seconds // 60} min") for reason, pause in PAUSES.items())
    return table(("opens when", "lets one run through after"), *rows)
