"""The refresh window: how long before its expiry a token set is due. Worker, deployment and reader follow it."""

from datetime import timedelta
from typing import Final

DEFAULT_WINDOW: Final = timedelta(hours=8)
"""The window of a provider whose profile has none."""

LARGEST_PART: Final = 1 / 3
"""The part of a token's life that the window is cut to, so that a token is used for most of its life."""


def refresh_window(configured: timedelta, lifetime: timedelta | None) -> timedelta:
    """Return how long before expiry tokens are due: as configured, but at most a part of their life, if it is known."""
    return configured if lifetime is None else min(configured, lifetime * LARGEST_PART)
