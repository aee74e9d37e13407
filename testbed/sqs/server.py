"""A strict SQS FIFO queue on this machine: what producers need of one, with faults on demand.

    with SqsServer() as server:
        environment = server.environment | {"WEBHOOK_QUEUE_URL": server.queue_url}
        server.fault("unavailable", "SendMessage")

It takes messages and lists them. Visibility and deletion are not simulated.
"""

import hashlib
import re
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from testbed.aws.errors import ServiceError
from testbed.aws.faults import Call
from testbed.aws.server import AwsServer
from testbed.aws.service import Request, Response

DEDUPLICATION_SECONDS: Final = 300
LIMIT_BYTES: Final = 1_048_576
NAME: Final = "webhooks.fifo"
_ACCOUNT: Final = "123456789012"
_REFUSED_CHARACTERS: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    """A message that the queue took."""

    body: str
    group: str
    deduplication_id: str
    sent_at: float


class SqsServer(AwsServer):
    """One FIFO queue, which deduplicates by message group."""

    signing_name: ClassVar[str] = "sqs"
    target_prefix: ClassVar[str] = "AmazonSQS."
    content_type: ClassVar[str] = "application/x-amz-json-1.0"
    endpoint_variable: ClassVar[str] = "AWS_ENDPOINT_URL_SQS"

    def __init__(self, **server: Any) -> None:
        super().__init__(**server)
        self.messages: list[QueuedMessage] = []

    @property
    def queue_url(self) -> str:
        """Return the queue's URL."""
        return f"{self.url}/{_ACCOUNT}/{NAME}"

    @property
    def arn(self) -> str:
        """Return the queue's ARN."""
        return f"arn:aws:sqs:{self.region}:{_ACCOUNT}:{NAME}"

    def _carry_out(self, operation: str, request: Request, region: str) -> Response:
        del region
        if operation != "SendMessage":
            raise ServiceError("InvalidAction", f"This server does not know {operation}.")
        body, group, unique = (request.get(key) for key in ("MessageBody", "MessageGroupId", "MessageDeduplicationId"))
        if request.get("QueueUrl") != self.queue_url:
            raise ServiceError("QueueDoesNotExist", "The specified queue does not exist.")
        if not group or not unique:
            raise ServiceError("MissingParameter", "A FIFO queue needs MessageGroupId and MessageDeduplicationId.")
        if not body or len(body.encode()) > LIMIT_BYTES:
            raise ServiceError("InvalidParameterValue", f"Message must be shorter than {LIMIT_BYTES} bytes.")
        if _REFUSED_CHARACTERS.search(body):
            raise ServiceError("InvalidMessageContents", "The message contains characters outside the allowed set.")
        self._take(QueuedMessage(body=body, group=group, deduplication_id=unique, sent_at=self.now()))
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        return {"MessageId": str(uuid.uuid4()), "MD5OfMessageBody": digest, "SequenceNumber": "1"}

    def _take(self, message: QueuedMessage) -> None:
        same = [m for m in self.messages if (m.group, m.deduplication_id) == (message.group, message.deduplication_id)]
        if not any(message.sent_at < earlier.sent_at + DEDUPLICATION_SECONDS for earlier in same):
            self.messages.append(message)

    def _describe(self, operation: str, request: Request, region: str, access_key_id: str) -> Call:
        del request
        return Call(
            operation=operation,
            region=region,
            access_key_id=access_key_id,
            secret_id=None,
            arn=self.arn,
            version_id=None,
            version_stages=(),
        )
