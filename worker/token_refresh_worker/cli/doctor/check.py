"""What a check found, and how a service is called that may refuse."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from token_refresh.advice import Advice, Command
from token_refresh.aws.calls import anything
from token_refresh.aws.calls import call as call_aws
from token_refresh.aws.errors import AwsRequest
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


def call(method: Callable[..., Any], **members: Any) -> dict[str, Any]:
    """Call an AWS service.

    Raises:
        CallFailed: It refused, can't be reached, or the response is not one of that service.
    """
    request = AwsRequest("", "", "")  # A check says what failed in its own words.
    response: dict[str, Any] = call_aws(lambda: method(**members), lambda: request, expected=anything)
    return response
