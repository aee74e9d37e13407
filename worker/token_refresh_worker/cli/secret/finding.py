"""One thing that an operator should know, and how bad it is."""

from dataclasses import dataclass
from enum import IntEnum

from token_refresh.advice import Advice, Command


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
