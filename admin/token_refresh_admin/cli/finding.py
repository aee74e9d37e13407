"""One thing that an operator should know, and how bad it is."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from token_refresh.advice import Advice, Command
from token_refresh.errors import TokenRefreshError


class Health(IntEnum):
    """As monitoring plugins number them: these are the exit statuses of `status`."""

    HEALTHY = 0
    ATTENTION = 1
    BROKEN = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an operator should know, and what to do about it."""

    health: Health
    text: str
    remedy: Advice = ()

    @staticmethod
    def healthy(text: str) -> "Finding":
        """Report what is as it should be."""
        return Finding(health=Health.HEALTHY, text=text)

    @staticmethod
    def broken(text: str, *remedy: str | Command) -> "Finding":
        """Report what stops the refreshes, or the tokens' use."""
        return Finding(health=Health.BROKEN, text=text, remedy=remedy)

    @staticmethod
    def attention(text: str, *remedy: str | Command) -> "Finding":
        """Report what stops them soon, or ends by itself."""
        return Finding(health=Health.ATTENTION, text=text, remedy=remedy)

    @staticmethod
    def unknown(text: str, *remedy: str | Command) -> "Finding":
        """Report what could not be found out."""
        return Finding(health=Health.UNKNOWN, text=text, remedy=remedy)


class Check(NamedTuple):
    """What was checked, and what was found."""

    name: str
    finding: Finding


def tried(name: str, find: Callable[[], Finding]) -> Check:
    """Carry out a check; an error keeps it from its result, and says nothing about what it checks."""
    try:
        return Check(name, find())
    except TokenRefreshError as failure:
        return Check(name, not_known(failure))


def not_known(failure: TokenRefreshError) -> Finding:
    """Report an error that kept a check from its result."""
    return Finding.unknown(f"not known: {failure.facts}", *failure.fix)


def failed(failure: TokenRefreshError) -> Finding:
    """Report an error that is itself what is wrong."""
    return Finding.broken(failure.facts, *failure.fix)
