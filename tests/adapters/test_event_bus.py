import json
from typing import Any, cast

import pytest

from fleet.conftest import Stub
from fleet.rows import arn
from testbed.builders import NOW
from token_refresh.errors import SecretStoreUnavailable
from token_refresh_worker.adapters.event_bus import send_event
from token_refresh_worker.core.announcement import Announcement, Transition

EVENT = Announcement(
    transition=Transition.REAUTHORIZED, secret_id=arn("a"), version_id="v1", provider="xero", fleet="prod", since=NOW
)


def test_an_event() -> None:
    """An event has source, type and detail of the contract, and the secret's ARN as resource."""
    given: list[Any] = []

    def put_events(**what: Any) -> dict[str, Any]:
        given.append(what)
        return {"FailedEntryCount": 0}

    send_event(cast("Any", Stub(put_events=put_events)), "bus", EVENT)

    ((entry,),) = [what["Entries"] for what in given]
    assert ("token-refresh", "Reauthorized", "bus", [arn("a")], EVENT.detail) == (
        entry["Source"],
        entry["DetailType"],
        entry["EventBusName"],
        entry["Resources"],
        json.loads(entry["Detail"]),
    )


@pytest.mark.parametrize("response", [None, {}, "canary", {"FailedEntryCount": 1, "Entries": []}])
def test_an_event_that_a_proxy_took(response: Any) -> None:
    """A 200 that is none of the bus is an error with a name, so that a run that stored its tokens does not fail."""
    stub = Stub(put_events=lambda **_: response)

    with pytest.raises(SecretStoreUnavailable, match="events:PutEvents") as raised:
        send_event(cast("Any", stub), "bus", EVENT)
    assert "canary" not in str(raised.value)
