"""A fleet's dispatcher, worker and resync, each second in place of each minute: a process of `scripts/demo customers`.

What they decide and do is the product's. What AWS does between them, schedules, a queue and Lambda, is this loop.
"""

import json
import os
import time
from collections.abc import Sequence

from token_refresh.errors import TokenRefreshError
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Message
from token_refresh_worker.fleet.dispatcher import hand_out, read_fleet
from token_refresh_worker.fleet.resync import synchronise
from token_refresh_worker.fleet.settings import read_fleet_settings
from token_refresh_worker.handlers import refresh


class Hurried:
    """A clock by which the seconds of a minute are over at once."""

    def monotonic(self) -> float:
        """Return seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for nothing."""


def send(messages: Sequence[Message]) -> list[str]:
    """Run on each secret, as Lambda does with the queue's messages."""
    for message in messages:
        body = json.dumps({"secret_id": message.secret_arn, "probe": message.probe})
        refresh({"Records": [{"eventSource": "aws:sqs", "messageId": message.message_id, "body": body}]}, None)
    return [message.message_id for message in messages]


def main() -> None:
    """Look after the fleet until the process ends."""
    settings = read_fleet_settings(os.environ)
    index = settings.index()
    while True:
        time.sleep(1)
        try:
            synchronise(index, settings.members(), fleet=settings.name)
            now = index.read_clock()
            decision = decide(read_fleet(index, settings.limits, now), now)
            hand_out(decision, index, send, Hurried(), now)
        except TokenRefreshError as error:
            print(type(error).__name__, flush=True)


if __name__ == "__main__":
    main()
