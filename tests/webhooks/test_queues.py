"""Queue and bus, over HTTP against a real protocol implementation (moto), and every way in which they refuse."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from testbed.reader_surroundings import WallClock
from testbed.secrets_manager.moto_server import moto_here
from testbed.sqs.server import SqsServer
from testbed.webhooks.signing import NOW
from token_refresh.webhooks import (
    Delivery,
    DeliveryNotQueued,
    EventBus,
    SqsQueue,
    VerifiedWith,
    WebhookTooLarge,
    from_message,
)

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/webhooks.fifo"
KEYS: Any = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}


def delivery(body: bytes = b"canary-body", key: str = "evt_1", kind: str | None = "invoice.paid") -> Delivery:
    return Delivery(
        source="stripe",
        key=key,
        id=key,
        type=kind,
        signed_at=datetime.fromtimestamp(NOW, UTC),
        received_at=datetime.fromtimestamp(NOW + 1, UTC),
        current_since=datetime.fromtimestamp(0, UTC),
        verified_with=VerifiedWith("v1", "current"),
        body=body,
    )


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with moto_here() as url:
        yield url


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def sqs(aws: str) -> Iterator[Any]:
    client = boto3.client("sqs", endpoint_url=aws, **KEYS)
    yield client
    client.close()


TAKEN_BY_BOTH = {"MessageId": "m", "FailedEntryCount": 0}


class Refusing:
    """A client each of whose calls fails, or gets this response."""

    def __init__(self, error: Exception | None = None, response: Any = TAKEN_BY_BOTH) -> None:
        self.error, self.response = error, response
        self.calls: list[dict[str, Any]] = []

    def call(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        if self.error:
            raise self.error
        return self.response

    send_message = put_events = call


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, "SendMessage")


def messages(sqs: Any, url: str) -> list[dict[str, Any]]:
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", [])
    return list(found)


SENT = (("/a", "evt_1"), ("/a", "evt_1"), ("/b", "evt_1"), ("/a", "evt_2"), ("/a", "é" * 300))
TAKEN = [("/a", "evt_1"), ("/b", "evt_1"), ("/a", "evt_2"), ("/a", "é" * 300)]


def test_queues(sqs: Any) -> None:
    """A FIFO queue takes a delivery once for each endpoint; a standard one takes every copy."""
    url = sqs.create_queue(QueueName="webhooks.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    queue = SqsQueue(url, client=sqs)
    for route, key in SENT:
        queue(route, delivery(key=key))
    found = [from_message(message["Body"]) for message in messages(sqs, url)]
    assert TAKEN == [(route, taken.key) for route, taken in found]
    assert delivery() == found[0][1]
    url = sqs.create_queue(QueueName="webhooks")["QueueUrl"]
    for _ in range(2):
        SqsQueue(url, client=sqs)("/a", delivery(b"\xff"))
    assert [b"\xff"] * 2 == [from_message(message["Body"])[1].body for message in messages(sqs, url)]


def test_our_own_queue(clock: WallClock) -> None:
    """The queue that the other tests run against takes and drops the same, and forgets after five minutes."""
    with SqsServer(clock=clock) as server:
        queue = SqsQueue(server.queue_url, client=server.client())
        for route, key in SENT:
            queue(route, delivery(key=key))
        assert TAKEN == [(route, taken.key) for route, taken in (from_message(m.body) for m in server.messages)]
        queue("/a", delivery("\uffff\x00\x1f".encode()))
        for seconds, count in ((299, 4), (1, 5)):
            clock.advance(seconds)
            queue("/a", delivery())
            assert count == len(server.messages)
        with pytest.raises(DeliveryNotQueued, match="Check its name, account and region"):
            SqsQueue(server.queue_url.replace("webhooks", "other"), client=server.client())("/a", delivery())


def test_event_bus(aws: str, sqs: Any) -> None:
    """A bus takes a delivery with its source and type, by which rules can choose."""
    events = boto3.client("events", endpoint_url=aws, **KEYS)
    url = sqs.create_queue(QueueName="matched")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["webhooks.stripe"], "detail-type": ["invoice.paid"]}
    events.put_rule(Name="paid", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="paid", Targets=[{"Id": "queue", "Arn": arn}])
    bus = EventBus(client=events)
    bus("/a", delivery())
    bus("/a", delivery(kind=None))
    (message,) = messages(sqs, url)
    assert ("/a", delivery()) == from_message(json.dumps(json.loads(message["Body"])["detail"]))
    events.close()


@pytest.mark.parametrize("make", [SqsQueue, EventBus])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (client_error("AccessDenied"), r"was denied \(AccessDenied\): allow this action for the caller's role"),
        (client_error("KMS.AccessDeniedException"), r"could not use its KMS key .*kms:GenerateDataKey"),
        (client_error("canary <b>"), r"failed \(an unknown error code\)"),
        (RuntimeError("canary"), r"failed \(RuntimeError\)"),
    ],
)
def test_refused(make: Any, error: Exception, says: str) -> None:
    """Whatever keeps a delivery out of the queue is one error that names queue, action and remedy, and not its text."""
    with pytest.raises(DeliveryNotQueued, match=says) as caught:
        make(QUEUE, client=Refusing(error))("/a", delivery())
    assert re.match(rf"((sqs:SendMessage|events:PutEvents) on )?(queue|event bus) {QUEUE} ", str(caught.value))
    assert "canary" not in str(caught.value)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


@pytest.mark.parametrize("make", [SqsQueue, EventBus])
@pytest.mark.parametrize("response", [None, {}, "canary", {"FailedEntryCount": 1, "Entries": []}])
def test_response_of_something_in_between(make: Any, response: Any) -> None:
    """Only a response that says so means that a delivery was taken: a proxy's or a bus's 200 can be a failure."""
    with pytest.raises(DeliveryNotQueued, match=r"got a response without a usable \w+: check|tries again$"):
        make(QUEUE, client=Refusing(response=response))("/a", delivery())
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalException", "ErrorMessage": "canary"}]}
    bus: Any = Refusing(response=refused)
    with pytest.raises(DeliveryNotQueued, match=r"^events:PutEvents on event bus bus .*\(InternalException\)"):
        EventBus("bus", client=bus)("/a", delivery())


@pytest.mark.parametrize(("make", "limit"), [(SqsQueue, 1_048_576), (EventBus, 1_000_000)])
def test_too_large(make: Any, limit: int) -> None:
    """What is over the limit in bytes is refused unsent; what just fits is sent, as a message group of its own."""
    client = Refusing()
    target = make(QUEUE, client=client)
    with pytest.raises(WebhookTooLarge, match=f"and {limit} are the limit"):
        target("/a", delivery("é".encode() * (limit // 2)))
    assert [] == client.calls
    room = limit - len("canary")
    for size in (room - 400, room // 2):
        target("/a", delivery(b"x" * size))
    assert 2 == len(client.calls)
    for call in client.calls if make is SqsQueue else ():
        assert call["MessageGroupId"] == call["MessageDeduplicationId"]
        assert 64 == len(call["MessageGroupId"])


def test_clients_are_made_in_init(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Lambda the client is made with the queue, in INIT, in the queue's own region; otherwise on first use."""
    made: list[tuple[str, str | None]] = []

    def get(service: str, *, region: str | None = None, **_options: Any) -> Any:
        made.append((service, region))
        return Refusing()

    monkeypatch.setattr("token_refresh.webhooks.queues.CLIENTS.get", get)
    queue = SqsQueue("http://127.0.0.1/queue")
    assert [] == made
    queue("/a", delivery())
    assert [("sqs", None)] == made
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "receiver")
    SqsQueue(QUEUE)
    EventBus("bus")
    assert [("sqs", "eu-central-1"), ("events", None)] == made[1:]
