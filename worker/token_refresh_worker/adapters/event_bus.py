"""Sends events about grants to EventBridge; implements the port `Bus`, in single mode and in a fleet."""

import json
from typing import TYPE_CHECKING, Final

from token_refresh.aws.calls import put_event
from token_refresh.aws.clients import ClientLimits
from token_refresh_worker.core.announcement import Announcement

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE: Final = "token-refresh"

BUS_LIMITS: Final = ClientLimits(connect_seconds=2, read_seconds=5, attempts=4)
"""Consumers know an event that is sent twice."""


class EventBridgeBus:
    """An event bus, by name or ARN."""

    def __init__(self, client: "EventBridgeClient", name: str) -> None:
        self._client = client
        self._name = name

    def send(self, announcement: Announcement) -> None:
        """Send one event."""
        entry = {
            "Source": SOURCE,
            "DetailType": announcement.transition.value,
            "Detail": json.dumps(announcement.detail),
            # EventBridge wants ARNs here, and one secret may be deployed by its name.
            "Resources": [announcement.secret_id] if announcement.secret_id.startswith("arn:") else [],
        }
        put_event(lambda: self._client, self._name, entry, region=self._client.meta.region_name)
