"""What a fleet declares: the states of its secrets, and the reasons of its breakers."""

from pages.docstrings import attributes
from token_refresh_worker.fleet.core.breaker import PAUSES, BreakerReason
from token_refresh_worker.fleet.core.row import State


def states() -> str:
    """Return each state with what to do."""
    docs = attributes(State)
    return "\n".join(
        f"- `{state.value}`: {docs[state.name].meaning} {docs[state.name].fix}".rstrip() for state in State
    )


def breakers() -> str:
    """Return each reason for a breaker with its pause."""
    docs = attributes(BreakerReason)
    return "\n".join(f"- {pause.seconds // 60} min: {docs[reason.name].meaning}" for reason, pause in PAUSES.items())
