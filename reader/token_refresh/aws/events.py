"""Puts events on an EventBridge bus."""

from collections.abc import Callable, Mapping
from typing import Any

from token_refresh.aws.calls import call
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import FailedPart, member


def put_event(client: Callable[[], Any], bus: str, entry: Mapping[str, Any], *, region: str = "") -> None:
    """Put one event on a bus, by its name or ARN; `region` is for messages.

    See https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html for the entry.

    Raises:
        TokenRefreshError: The bus did not take it.
    """

    def put() -> None:
        response = client().put_events(Entries=[{**entry, "EventBusName": bus}])
        # `PutEvents` succeeds with HTTP 200 although it took no event. And a proxy may have responded.
        if member(response, "FailedEntryCount", int):
            raise FailedPart(response["Entries"][0].get("ErrorCode"))

    call(put, lambda: AwsRequest(action="events:PutEvents", name=bus, region=region, kind="event bus"))
