"""What requests cost that anybody can send to a receiver: microseconds of CPU, and bytes of its log.

Each request is handled many times in this process, and the median counts. Secret and queue are in memory, so what is
measured is the receiver's own work, without the network. A log line is written as Lambda's runtime client writes it.
Exits with 1 where a request gets another status than it should, or logs more than it may.
"""

import argparse
import base64
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from awslambdaric.lambda_runtime_log_utils import JsonFormatter

from testbed.webhooks.events import http_v2
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.setting import Setting
from testbed.webhooks.signing import sent
from token_refresh.webhooks import Receiver

MEBIBYTE = 1_048_576
LAMBDAS_LIMIT_BYTES = 6 * MEBIBYTE
ROUNDS = 201
LOGGED_BYTES = 1_024
"""The most that one request may add to the log, whatever is in it; docs/webhooks.md says it."""
STATUSES = (403, 404, 413, 400, 401, 401, 200)
"""What the requests get, in their order."""


class Lines(logging.Handler):
    """Keeps the last line that was logged, and writes it nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.last = b""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.last = self.format(record).encode()


class Queue:
    """Takes deliveries as large as a queue does, and drops them."""

    limit_bytes = MEBIBYTE

    def __call__(self, route: str, delivery: Any) -> None:
        """Take one."""


def requests() -> dict[str, dict[str, Any]]:
    """Return what a flood may consist of, and a genuine delivery at the end."""
    path, genuine = "/webhooks/stripe", sent("stripe")
    forged = {"Stripe-Signature": genuine.headers["Stripe-Signature"]}
    small, large = b"x" * 1024, b"x" * (MEBIBYTE - 1024)
    through = {"X-Origin-Verify": "the-value"}

    def event(path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        return http_v2("POST", path, headers, body, encoded=True)

    return {
        "beside the distribution, 1 MB": event(path, forged, large),
        "unknown path, 1 MB": event("/", through | forged, large),
        "over the limit, 4.5 MB": event(path, through | forged, b"x" * (LAMBDAS_LIMIT_BYTES * 3 // 4)),
        "no signature, 1 MB": event(path, through, large),
        "wrong signature, 1 KB": event(path, through | forged, small),
        "wrong signature, 1 MB": event(path, through | forged, large),
        "genuine, 1 KB": event(path, through | genuine.headers, genuine.body),
    }


def measure(handle: Callable[[Any], Any], event: dict[str, Any], lines: Lines) -> dict[str, Any]:
    """Handle one request many times."""
    text = json.dumps(event)
    taken, status = [], 0
    for _ in range(ROUNDS):
        fresh = json.loads(text)  # as Lambda parses each; not timed, since the runtime does it
        began = time.thread_time_ns()
        status = handle(fresh)["statusCode"]
        taken.append(time.thread_time_ns() - began)
    body_bytes = len(base64.b64decode(event["body"]))
    return {
        "status": status,
        "body_bytes": body_bytes,
        "microseconds": round(statistics.median(taken) / 1000, 1),
        "log_bytes": len(lines.last),
    }


def broken(figures: dict[str, dict[str, Any]]) -> list[str]:
    """Say which request was not handled as it should be."""
    return [
        f"{name} got {found['status']} and logged {found['log_bytes']} bytes; it should get {status}, and may log "
        f"{LOGGED_BYTES}"
        for (name, found), status in zip(figures.items(), STATUSES, strict=True)
        if found["status"] != status or found["log_bytes"] > LOGGED_BYTES
    ]


def main() -> int:
    """Measure, print a table, and judge."""
    parser = argparse.ArgumentParser(prog="scripts/bench webhooks", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    lines = Lines()
    logger = logging.getLogger("token_refresh.webhooks")
    logger.propagate, logger.handlers, logger.level = False, [lines], logging.INFO
    setting = Setting()
    receiver = Receiver(setting.routes, deliver_to=Queue(), origin=FakeSecret("the-value"))
    figures = {name: measure(receiver.handle, event, lines) for name, event in requests().items()}
    print("| request | status | µs | bytes logged |\n| --- | ---: | ---: | ---: |")
    for name, found in figures.items():
        print(f"| {name} | {found['status']} | {found['microseconds']:,.0f} | {found['log_bytes']} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2), "utf-8")
    missed = broken(figures)
    for sentence in missed:
        print(f"scripts/bench webhooks: {sentence}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
