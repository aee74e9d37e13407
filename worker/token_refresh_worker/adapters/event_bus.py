"""Sends events about grants to EventBridge; implements the port `SendEvent`, in single mode and in a fleet."""

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


def send_event(client: "EventBridgeClient", bus: str, announcement: Announcement) -> None:
    """Send one event to a bus, by its name or ARN."""
    entry = {
        "Source": SOURCE,
        "DetailType": announcement.transition.value,
        "Detail": json.dumps(announcement.detail),
        # EventBridge wants ARNs here, and one secret may be deployed by its name.
        "Resources": [announcement.secret_id] if announcement.secret_id.startswith("arn:") else [],
    }
    put_event(lambda: client, bus, entry, region=client.meta.region_name)
