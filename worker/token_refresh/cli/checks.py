"""What `doctor` finds, and how it carries out a check that may be refused."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from token_refresh.aws.secrets_manager import code_of
from token_refresh.bootstrap import environment


class Grade(StrEnum):
    """How a check ended."""

    OK = "ok"
    LOOK = "look"
    """Not wrong, and worth a look."""
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    grade: Grade
    text: str
    remedy: str | None = None


class Unasked(Exception):  # noqa: N818 - it never leaves the checks
    """A service could not be asked; the text says why."""


def ask(method: Callable[..., Any], **what: Any) -> dict[str, Any]:
    """Ask a service beside Secrets Manager.

    Raises:
        Unasked: It refused, can't be reached, or something else answered in its place.
    """
    try:
        answer: dict[str, Any] = method(**what)
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        raise Unasked(code_of(error)) from None
    return answer


def asks_all_of_aws() -> bool:
    """Whether AWS itself is asked, and not a Secrets Manager that stands alone, as on this machine."""
    given = environment()
    return not given.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or bool(given.get("AWS_ENDPOINT_URL"))
