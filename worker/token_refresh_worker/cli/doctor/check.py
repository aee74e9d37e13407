"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum

from token_refresh.advice import Advice, Command
from token_refresh.errors import TokenRefreshError


class Grade(StrEnum):
    """How a check ended."""

    OK = "ok"
    LOOK = "look"
    """Not wrong, and worth a look."""
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked."""

    name: str
    grade: Grade
    text: str
    remedy: Advice = ()

    @staticmethod
    def ok(name: str, text: str) -> "Check":
        """Report that it is as it should be."""
        return Check(name=name, grade=Grade.OK, text=text)

    @staticmethod
    def look(name: str, text: str, *remedy: str | Command) -> "Check":
        """Report that someone should look at it."""
        return Check(name=name, grade=Grade.LOOK, text=text, remedy=remedy)

    @staticmethod
    def failed(name: str, text: str, *remedy: str | Command) -> "Check":
        """Report that it is wrong."""
        return Check(name=name, grade=Grade.FAILED, text=text, remedy=remedy)

    @staticmethod
    def skipped(name: str, text: str, *remedy: str | Command) -> "Check":
        """Report that it could not be checked."""
        return Check(name=name, grade=Grade.SKIPPED, text=text, remedy=remedy)

    @staticmethod
    def error(name: str, failure: TokenRefreshError, *, title: str = "") -> "Check":
        """Report an error with its remedy."""
        return Check.failed(name, f"{title}{failure.facts}", *failure.fix)

    @staticmethod
    def unknown(name: str, failure: TokenRefreshError) -> "Check":
        """Report that an error kept the check from its result."""
        return Check.skipped(name, f"not known: {failure.facts}", *failure.fix)
