"""Spread a minute's messages over its seconds: the queue can't delay a message, so the dispatcher sends it later."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

SECONDS: Final = 60
"""All of a minute: what a provider's rate leaves unused in one minute is lost."""
BUDGET_SECONDS: Final = 55
"""The write budget is spent a little sooner, so that its runs have reported when the next minute begins."""


def pace(providers: Sequence[str], *, per_minute: int, rates: Mapping[str, float | None]) -> list[list[int]]:
    """Give the positions of the messages to send in each second, without empty seconds at the end.

    Args:
        providers: The provider of each message, most urgent first.
        per_minute: The budget, which is spread evenly.
        rates: Token requests per second for each provider; None is unlimited. What exceeds a rate is left out.
    """
    # Rounded up, so that a whole budget fits into the seconds.
    per_second = max(1, ceil(per_minute / BUDGET_SECONDS))
    seconds: list[list[int]] = [[] for _ in range(SECONDS)]
    first_open = 0
    provider_at: dict[str, float] = {}
    for position, provider in enumerate(providers):
        while first_open < SECONDS and len(seconds[first_open]) >= per_second:
            first_open += 1
        # A slow provider's next second may be far ahead; the others fill the seconds before it.
        at = max(float(first_open), provider_at.get(provider, 0.0))
        while at < SECONDS and len(seconds[int(at)]) >= per_second:
            at = float(int(at) + 1)
        if at >= SECONDS:
            continue
        seconds[int(at)].append(position)
        rate = rates.get(provider)
        if rate is not None:
            provider_at[provider] = at + 1 / rate
    while seconds and not seconds[-1]:
        seconds.pop()
    return seconds
