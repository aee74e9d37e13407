"""The alarms of each mode, by the methods that define them, and what they cost."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from pages.docstrings import table, words
from token_refresh_infra.fleet.alarms import FleetAlarms
from token_refresh_infra.single.alarms import HeldWatch, RefreshAlarms
from token_refresh_infra.webhooks.alarms import WebhookAlarms

if TYPE_CHECKING:
    from token_refresh_infra.constructs.alarms import Alarms


def single() -> str:
    """Return each alarm of one worker, with what to do."""
    rows = ((f"`{name}`", words(one).meaning, words(one).fix) for name, one in RefreshAlarms.defined().items())
    return table(("alarm", "raised when", "do"), *rows)


def webhooks() -> str:
    """Return each alarm of a receiver."""
    return _meanings(WebhookAlarms)


def fleet() -> str:
    """Return each alarm of a fleet."""
    return _meanings(FleetAlarms)


def cost() -> str:
    """Return what the alarms of one worker cost in a month."""
    count = len(RefreshAlarms.defined()) - 1  # `tokens-kept` comes with a claim table's key.
    held = sum(inspect.get_annotations(one)["return"] is HeldWatch for one in RefreshAlarms.defined().values())
    dollars = f"{(count + 1) * 0.10 + held * 0.50:.2f}"
    return (
        f"The alarms are {dollars} more: {count + 1} at 0.10, and {held} composite ones at 0.50. With an adopted "
        f"secret they are {count * 0.10:.2f}, {count} at 0.10."
    )


def _meanings(alarms: type[Alarms]) -> str:
    return table(("alarm", "meaning"), *((f"`{name}`", words(one).meaning) for name, one in alarms.defined().items()))
