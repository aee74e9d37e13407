"""Members of a response of AWS, read without trust: a proxy or an endpoint of someone else may have sent it.

What is missing, of another type or not what it must be is a `MalformedResponse`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

from token_refresh.stored.times import is_possible

T = TypeVar("T")

_VERSION_ID: Final = re.compile(r"[\x21-\x7e]{1,64}")
_ARN: Final = re.compile(r"arn:[\x21-\x7e]{1,2044}")
_EARLIEST: Final = datetime(1973, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(5137, 12, 31, tzinfo=UTC)
"""The range of stored times. Beyond it, adding a lifetime could leave the calendar."""


class MalformedResponse(Exception):  # noqa: N818 - the caller of the service translates it
    """A response lacks a member, or has something else in its place."""

    def __init__(self, member: str) -> None:
        super().__init__(member)
        self.member = member


class FailedPart(Exception):  # noqa: N818 - likewise
    """A call succeeded, and a part of it failed."""

    def __init__(self, code: object) -> None:
        super().__init__()
        self.code = code


def member(response: Any, name: str, kind: type[T]) -> T:
    """Return a member of a response."""
    value = response.get(name) if isinstance(response, Mapping) else None
    if not isinstance(value, kind):
        raise MalformedResponse(name)
    return value


def optional_member(response: Any, name: str, kind: type[T]) -> T | None:
    """Return a member of a response; None if it is missing or null."""
    missing = isinstance(response, Mapping) and response.get(name) is None
    return None if missing else member(response, name, kind)


def version_member(response: Any) -> str:
    """Return the version ID of a response, up to 64 visible ASCII characters: messages and logs show it."""
    version_id = member(response, "VersionId", str)
    if _VERSION_ID.fullmatch(version_id) is None:
        raise MalformedResponse("VersionId")
    return version_id


def arn_member(response: Any) -> str | None:
    """Return the ARN of a response, which later calls use; None if there is none."""
    arn = optional_member(response, "ARN", str)
    if arn is not None and _ARN.fullmatch(arn) is None:
        raise MalformedResponse("ARN")
    return arn


def time_member(response: Any, name: str) -> datetime:
    """Return a time of a response, in UTC, from 1973 to 5138."""
    return _in_range(member(response, name, datetime), name)


def service_time(response: Any) -> datetime:
    """Return the service's clock, from the `Date` header: claims are aged by it, never by this machine's.

    It must be from 1973 to 5138: a wrong clock could end another run's claim too early.
    """
    try:
        moment = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        raise MalformedResponse("Date") from None
    return _in_range(moment, "Date")


def _in_range(moment: datetime, name: str) -> datetime:
    # Compared before it is converted: near the years 1 and 9999 the conversion overflows.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if aware < _EARLIEST or not is_possible(aware, latest=_LATEST):
        raise MalformedResponse(name)
    return aware.astimezone(UTC)
