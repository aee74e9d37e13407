"""What a check found, and how a service is called that may refuse."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from token_refresh.advice import Advice, Command
from token_refresh.aws.causes import FailedCall, failure_of
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


class NoResult(Exception):  # noqa: N818 - it never leaves the checks
    """A service gave no usable response; the text is its error code, or the kind of failure."""

    def __init__(self, failure: FailedCall) -> None:
        super().__init__(failure.code)
        self.code = failure.code
        self.cause = failure.cause


def call(method: Callable[..., Any], **members: Any) -> dict[str, Any]:
    """Call an AWS service.

    Raises:
        NoResult: It refused, can't be reached, or the response is not one of that service.
    """
    try:
        response: dict[str, Any] = method(**members)
    except (ClientError, BotoCoreError, ResponseParserError) as error:  # The last: a proxy's page in place of XML.
        raise NoResult(failure_of(error)) from None
    return response
