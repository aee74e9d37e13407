"""Lambda's side of the queue: the emulator's own runs one message of a FIFO queue at a time, so the demo has its own.

It does what the stack's event source mapping asks AWS for: one message a run, at most so many runs at once, and a
message is deleted once the deployed function has taken it. The queue itself, with its groups, is the emulator's.
"""

import json
import threading
from typing import Any, Self

from testbed.emulator import Emulator

RUNS_AT_ONCE = 8


class Mapping:
    """Polls the queue and invokes the worker, for as long as the `with` block lasts."""

    def __init__(self, emulator: Emulator, *, queue_url: str, function: str) -> None:
        self._emulator, self._queue_url, self._function = emulator, queue_url, function
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._poll, daemon=True) for _ in range(RUNS_AT_ONCE)]
        self._lock = threading.Lock()
        self._active: dict[str, int] = {}
        self.most_at_once: dict[str, int] = {}
        """For each provider, the most runs that were under way at the same time."""

    def __enter__(self) -> Self:
        """Poll from now on."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop; a run that is under way ends by itself."""
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=60)

    def _poll(self) -> None:
        queue, functions = self._emulator.client("sqs"), self._emulator.client("lambda")
        while not self._ended.is_set():
            asked = {"MaxNumberOfMessages": 1, "WaitTimeSeconds": 1, "AttributeNames": ["All"]}
            for message in queue.receive_message(QueueUrl=self._queue_url, **asked).get("Messages", ()):
                self._run(queue, functions, message)

    def _run(self, queue: Any, functions: Any, message: dict[str, Any]) -> None:
        # Group names are provider and shard, and a provider's name may have hyphens.
        provider = message["Attributes"]["MessageGroupId"].rpartition("-")[0]
        self._count(provider, 1)
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "eventSource": "aws:sqs",
        }
        ended = functions.invoke(FunctionName=self._function, Payload=json.dumps({"Records": [record]}))
        ended["Payload"].read()
        self._count(provider, -1)
        # A crash leaves the message to the queue, which shows it again after its visibility timeout.
        if "FunctionError" not in ended:
            queue.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _count(self, provider: str, change: int) -> None:
        with self._lock:
            self._active[provider] = self._active.get(provider, 0) + change
            self.most_at_once[provider] = max(self.most_at_once.get(provider, 0), self._active[provider])
