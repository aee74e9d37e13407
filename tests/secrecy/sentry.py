"""The real sentry-sdk at its most curious: local variables, tracing, all default integrations, and no scrubbing."""

import json
from collections.abc import Callable
from typing import Any

import sentry_sdk
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.transport import Transport


def watch(keep: Callable[[dict[str, Any]], None], *, module: str) -> None:
    """Start it; `keep` gets each event and each transaction.

    Args:
        keep: Gets what would have been sent.
        module: How modules begin whose own frames are left out, since they hold secrets on purpose; `control` stays.
    """

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            for item in envelope.items:
                event = json.loads(item.payload.get_bytes())
                for raised in event.get("exception", {}).get("values", ()):
                    frames = raised["stacktrace"]["frames"]
                    raised["stacktrace"]["frames"] = [
                        frame
                        for frame in frames
                        if not str(frame["module"]).startswith(module) or frame["function"] == "control"
                    ]
                keep(event)

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        transport=Kept,
        include_local_variables=True,
        max_value_length=10**6,
        send_default_pii=True,
        traces_sample_rate=1.0,
        # Sentry hides variables that are called `token` or `auth`. Others don't.
        event_scrubber=EventScrubber(denylist=[], pii_denylist=[]),
    )
