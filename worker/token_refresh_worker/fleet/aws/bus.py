"""Events on EventBridge; implements the port `Bus`."""

import json
from typing import TYPE_CHECKING, Any, Final

from token_refresh.aws.causes import failure_of_code
from token_refresh.aws.responses import member
from token_refresh.errors import SecretStoreUnavailable
from token_refresh_worker.core.announcement import Announcement
from token_refresh_worker.fleet.aws.calls import call

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE: Final = "token-refresh"


class EventBridgeBus:
    """An event bus, by name or ARN."""

    def __init__(self, client: "EventBridgeClient", name: str) -> None:
        self._client = client
        self._name = name

    def send(self, announcement: Announcement) -> None:
        """Send one event.

        Raises:
            TokenRefreshError: The bus did not take it.
        """
        entry = {
            "Source": SOURCE,
            "DetailType": announcement.transition.value,
            "Detail": json.dumps(announcement.detail),
            # EventBridge wants ARNs here, and one secret may be deployed by its name.
            "Resources": [announcement.secret_id] if announcement.secret_id.startswith("arn:") else [],
            "EventBusName": self._name,
        }
        where = f"event bus {self._name} in {self._client.meta.region_name}"

        def put(**what: Any) -> str | None:
            response = self._client.put_events(**what)
            # `PutEvents` succeeds as a call even where it takes no event. And a proxy may have responded.
            failed = member(response, "FailedEntryCount", int)
            return failure_of_code(response["Entries"][0].get("ErrorCode")).code if failed else None

        code = call(put, {"Entries": [entry]}, action="events:PutEvents", where=where)
        if code is not None:
            raise SecretStoreUnavailable(f"events:PutEvents on {where} failed ({code}); the bus did not take the event")
