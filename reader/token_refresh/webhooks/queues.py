"""Where verified deliveries go: an SQS queue or an EventBridge bus. Anything else is a function of your own."""

import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from token_refresh.aws.calls import call, put_event
from token_refresh.aws.clients import CLIENTS
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import member
from token_refresh.errors import TokenRefreshError
from token_refresh.reader.runtime import in_lambda
from token_refresh.reader.sources.service import CALL_LIMITS
from token_refresh.webhooks.delivery import Delivery, to_message
from token_refresh.webhooks.errors import DeliveryNotQueued, WebhookError, WebhookTooLarge

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

Deliver = Callable[[str, Delivery], None]

_QUEUE_REGION = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com")


class SqsQueue:
    """Sends deliveries to a queue. A FIFO queue drops the copies of a delivery that come within five minutes."""

    limit_bytes: Final = 1_048_576
    """SQS takes 1 MiB as one message. A `Receiver` refuses a larger body unread."""

    def __init__(self, url: str, *, client: "SQSClient | None" = None) -> None:
        """Remember the queue.

        Args:
            url: Its URL; with `.fifo` at the end, each delivery is its own message group, so none waits.
            client: A boto3 client of SQS; without it, one with short timeouts is made: in Lambda now, else on first
                use.
        """
        self._url = url
        self._client = client
        if client is None and in_lambda():  # INIT has a full core, an invocation a share of one
            self._connect()

    def __call__(self, route: str, delivery: Delivery) -> None:
        """Send one delivery.

        Args:
            route: The path that it came to.
            delivery: What `Verifier.verify` returned.

        Raises:
            WebhookTooLarge: It is over 1 MiB.
            DeliveryNotQueued: The queue didn't take it.
        """
        if problem := self._send(_unique(route, delivery), to_message(route, delivery)):
            raise problem

    def _send(self, unique: str, message: str) -> WebhookError | None:
        # A group for each delivery: a slow one delays no other. The ID drops replays for five minutes.
        fifo = {"MessageGroupId": unique, "MessageDeduplicationId": unique} if self._url.endswith(".fifo") else {}

        def send() -> None:
            response = self._connect().send_message(QueueUrl=self._url, MessageBody=message, **fifo)  # type: ignore[arg-type] # two of its options
            # A 200 of something in between would lose the delivery: SQS gives each message that it took an ID.
            member(response, "MessageId", str)

        # The URL names the region.
        request = AwsRequest("sqs:SendMessage", self._url, region="", kind="queue")
        return _problem(len(message.encode()), self.limit_bytes, lambda: call(send, lambda: request))

    def _connect(self) -> "SQSClient":
        if self._client:
            return self._client
        region = _QUEUE_REGION.match(self._url)
        client: SQSClient = CLIENTS.get("sqs", limits=CALL_LIMITS, region=region[1] if region else None)
        return client


class EventBus:
    """Puts deliveries on a bus, with `webhooks.SOURCE` as source and the event's type as detail type.

    A bus drops no copies: its consumers have to.
    """

    limit_bytes: Final = 1_000_000
    """EventBridge takes "less than 1MB" as one request, names included."""

    def __init__(self, name: str = "default", *, client: "EventBridgeClient | None" = None) -> None:
        """Remember the bus.

        Args:
            name: The bus's name or ARN.
            client: A boto3 client of EventBridge; without it as for `SqsQueue`.
        """
        self._name = name
        self._client = client
        if client is None and in_lambda():  # INIT has a full core, an invocation a share of one
            self._connect()

    def __call__(self, route: str, delivery: Delivery) -> None:
        """Put one delivery.

        Args:
            route: The path that it came to.
            delivery: What `Verifier.verify` returned.

        Raises:
            WebhookTooLarge: It is about 1 MB or more.
            DeliveryNotQueued: The bus didn't take it.
        """
        source, kind = f"webhooks.{delivery.source}", delivery.type or "unknown"
        if problem := self._put(source, kind, to_message(route, delivery)):
            raise problem

    def _put(self, source: str, kind: str, detail: str) -> WebhookError | None:
        entry = {"Source": source, "DetailType": kind, "Detail": detail}
        size_bytes = len((source + kind + detail).encode())
        return _problem(size_bytes, self.limit_bytes, lambda: put_event(self._connect, self._name, entry))

    def _connect(self) -> "EventBridgeClient":
        client: EventBridgeClient = self._client or CLIENTS.get("events", limits=CALL_LIMITS)
        return client


def _unique(route: str, delivery: Delivery) -> str:
    """Make an ID that the queue takes, of a key that may have any length; two endpoints may get the same event."""
    # SQS takes 128 characters of a deduplication ID (SendMessage); a key may have 256.
    return hashlib.sha256(f"{route}\n{delivery.key}".encode(errors="surrogatepass")).hexdigest()


def _problem(size_bytes: int, limit_bytes: int, send: Callable[[], None]) -> WebhookError | None:
    """Send, and give the error back: one that is raised here has frames that hold the message."""
    # Before sending: the service's own error would be a 503, and the sender would retry without end.
    if size_bytes > limit_bytes:
        return WebhookTooLarge(f"the delivery takes {size_bytes} bytes as a message, and {limit_bytes} are the limit")
    try:
        send()
    except TokenRefreshError as error:
        return DeliveryNotQueued(error.facts, fix=error.fix)
    return None
