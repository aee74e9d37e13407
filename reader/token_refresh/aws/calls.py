"""One way to call AWS: whatever fails has a named error, which quotes nothing that the service sent."""

import logging
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final, Protocol, TypeVar

from token_refresh.aws.causes import Cause, FailedCall, failure_of
from token_refresh.aws.errors import named_error
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import FailedPart, member
from token_refresh.errors import TokenRefreshError, without_traceback

T = TypeVar("T")

IS_OURS: Final = ContextVar("IS_OURS", default=False)
"""Whether this thread is in a call of ours: an application's own calls are logged as it wants them."""
# At DEBUG these quote requests, responses with their headers, and the session token of AWS. Others quote none of it.
for _logger in ("botocore.auth", "botocore.endpoint", "botocore.parsers", "httpcore.http11"):
    logging.getLogger(_logger).addFilter(lambda record: record.levelno > logging.DEBUG or not IS_OURS.get())


class CallFailed(Exception):  # noqa: N818 - named as the other failures are; it never leaves the callers of `call`
    """A call failed, and its caller wants to know why."""

    def __init__(self, failure: FailedCall) -> None:
        super().__init__(failure.code)
        self.failure = failure


class Repeat(Protocol):
    """Carries out one call; it may try again after a `CallFailed`."""

    def __call__(self, attempt: Callable[[], T], /) -> T:
        """Return the result of the attempt, or raise what the last one raised."""


def once(attempt: Callable[[], T], /) -> T:
    """Try once; the client may repeat requests by itself (`ClientLimits.attempts`)."""
    return attempt()


def nothing(_failure: FailedCall) -> bool:
    """Expect no failure."""
    return False


def missing(failure: FailedCall) -> bool:
    """Expect that what the call is about does not exist."""
    return failure.cause is Cause.NOT_FOUND


def call(
    ask: Callable[[], T],
    request: Callable[[], AwsRequest],
    *,
    expected: Callable[[FailedCall], bool] = nothing,
    repeat: Repeat = once,
) -> T:
    """Call a client, read its response, and name what fails.

    Errors are raised from here, without cause and context: no frame of their traceback holds a response, and no chained
    error the service's text. `request` gives the call as messages name it. A failure that is `expected` is raised as
    `CallFailed`, for the caller to handle.
    """
    problem: Exception
    try:
        return repeat(lambda: _attempt(ask))
    except CallFailed as failed:
        failure = failed.failure
        problem = CallFailed(failure) if expected(failure) else named_error(failure, request())
    except TokenRefreshError as error:
        problem = without_traceback(error)
    raise problem


def call_action(client: Any, action: str, **members: Any) -> Any:
    """Carry out an action of the client's service, by its name in the API reference."""
    return getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())(**members)


def _attempt(ask: Callable[[], T]) -> T:
    outside = IS_OURS.set(True)
    try:
        return ask()
    except TokenRefreshError:
        raise
    except Exception as error:  # noqa: BLE001 - a malformed response raises whatever its reader meets
        raise CallFailed(failure_of(error)) from None
    finally:
        IS_OURS.reset(outside)


def put_event(client: Callable[[], Any], bus: str, entry: Mapping[str, Any], *, region: str = "") -> None:
    """Put one event on a bus, by its name or ARN; `region` is for messages.

    See https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html for the entry.
    """

    def put() -> None:
        response = client().put_events(Entries=[{**entry, "EventBusName": bus}])
        # `PutEvents` succeeds with HTTP 200 although it took no event. And a proxy may have responded.
        if member(response, "FailedEntryCount", int):
            raise FailedPart(response["Entries"][0].get("ErrorCode"))

    call(put, lambda: AwsRequest(action="events:PutEvents", name=bus, region=region, kind="event bus"))
