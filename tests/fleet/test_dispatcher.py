"""How a minute's messages are spread, sent and remembered."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mypy_boto3_dynamodb import DynamoDBClient

from fleet.conftest import TABLE
from fleet.doubles import MemoryIndex, MemoryQueue
from fleet.rows import arn, failed, row, rows, seen
from testbed.builders import MINUTE, NOW
from testbed.fakes import FakeClock
from testbed.worker import SCHEDULED
from token_refresh.errors import SecretStoreUnavailable
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Limits
from token_refresh_worker.fleet.core.messages import BUDGET_SECONDS, SECONDS, pace
from token_refresh_worker.fleet.core.row import Row
from token_refresh_worker.fleet.dispatcher import hand_out, read_fleet, wait_for_turn
from token_refresh_worker.fleet.settings import FleetSettings
from token_refresh_worker.handlers import dispatch


@pytest.mark.parametrize(
    ("providers", "per_minute", "rates", "earliest", "seconds"),
    [
        ("aaaaa", 100, {}, (), [[0, 1], [2, 3], [4]]),
        ("ssff", 50, {"s": 0.5}, (), [[0], [2], [1], [3]]),
        ("abab", 50, {"a": 1 / 4, "b": 1 / 3}, (), [[0], [1], [], [], [2], [3]]),
        ("aaa", 50, {}, (3.9, 0, 0), [[1], [2], [], [0]]),
        ("aa", 50, {}, (0, 0.5), [[0], [1]]),
        ("a" * 500, 50, {}, (), [[n] for n in range(SECONDS)]),
        ("", 50, {}, (), []),
    ],
    ids=["in order", "a slow provider", "full seconds", "a second of its own", "half a second", "too many", "none"],
)
def test_which_second(
    providers: str, per_minute: int, rates: dict[str, float], earliest: Sequence[float], seconds: list[list[int]]
) -> None:
    """The first in the list is sent first, in a second that has room, and what does not fit is left out.

    A slow provider, or a message that is not to be sent before a second, lets the others pass.
    """
    found = pace(providers, per_minute=per_minute, rates=rates, earliest=earliest or [0] * len(providers))

    assert seconds == found


@given(
    st.lists(st.sampled_from("abc"), max_size=300),
    st.integers(1, 2000),
    st.dictionaries(st.sampled_from("abc"), st.floats(0.1, 20)),
)
def test_limits_hold(providers: list[str], per_minute: int, rates: dict[str, float]) -> None:
    """No second exceeds the budget's share, no provider its rate, and nothing is sent twice."""
    seconds = pace(providers, per_minute=per_minute, rates=dict(rates), earliest=[0] * len(providers))

    sent = [position for second in seconds for position in second]
    assert len(sent) == len(set(sent))
    assert max(map(len, seconds), default=0) <= per_minute // BUDGET_SECONDS + 1
    for second in seconds:
        for provider, count in Counter(providers[position] for position in second).items():
            assert count <= rates.get(provider, 1000.0) + 1
    assert len(seconds) <= SECONDS


SETTINGS = FleetSettings(name="prod", table=TABLE)


def minute(index: MemoryIndex, queue: MemoryQueue, now: datetime = NOW, clock: FakeClock | None = None) -> int:
    decision = decide(read_fleet(index, SETTINGS.limits, now), now)
    return hand_out(decision, index, queue.send, clock or FakeClock(), now)


def test_a_lost_run_is_repeated() -> None:
    """A secret whose run never reported is handed out again when the lease is over, and later each time."""
    index, queue = MemoryIndex(row()), MemoryQueue()

    sent = [minute(index, queue, NOW + number * MINUTE) for number in range(43)]

    assert [0, 6, 18, 42] == [number for number, count in enumerate(sent) if count]
    assert ["xero-0"] + ["xero-lost-0"] * 3 == [message.group for message in queue.messages]


def test_what_the_queue_refuses_is_sent_in_the_next_minute() -> None:
    """A message that the queue did not take is not remembered."""
    index, queue = MemoryIndex(*rows(2)), MemoryQueue(refused=frozenset({arn("xero/0")}))

    assert 1 == minute(index, queue)
    queue.refused = frozenset()
    assert 1 == minute(index, queue, NOW + MINUTE)


def test_the_last_seconds_are_remembered_ahead() -> None:
    """What is sent at the end of a minute is remembered before: the next dispatcher may have begun."""
    index, queue = MemoryIndex(*rows(1000, provider="a"), *rows(1000, provider="b")), MemoryQueue()
    known: list[tuple[float, int]] = []
    clock = FakeClock()
    clock.oversleep = lambda: known.append((clock.seconds, len(index.handed_out(NOW))))
    minute(index, queue, clock=clock)

    assert [0, 1200, 1200] == [count for second, count in known if second in {44.0, 45.0, 54.0}]


def test_a_dispatcher_that_dies_remembers_what_it_sent() -> None:
    """An error in between leaves what was sent remembered, and the rest to the next minute."""

    class Failing(MemoryQueue):
        def send(self, messages: Any) -> list[str]:
            if self.messages:
                raise InterruptedError
            return MemoryQueue.send(self, messages)

    index, queue = MemoryIndex(*rows(60, provider="slow")), Failing()
    decision = decide(read_fleet(index, Limits(writes_per_second=1), NOW), NOW)

    with pytest.raises(InterruptedError):
        hand_out(decision, index, queue.send, FakeClock(), NOW)
    assert {message.message_id for message in queue.messages} == index.handed_out(NOW).keys()


@pytest.mark.parametrize(("seconds_ago", "waits"), [(3, 55), (57.5, 0.5), (58, 0), (300, 0), (-9, 0)])
def test_one_dispatcher_at_a_time(seconds_ago: float, waits: float) -> None:
    """A dispatcher that Scheduler starts early, or twice, waits until the one before has had its minute."""
    index, clock = MemoryIndex(), FakeClock()
    assert NOW == wait_for_turn(index, clock), "none has run yet"
    index.tell_breakers({}, NOW - timedelta(seconds=seconds_ago))

    assert NOW == wait_for_turn(index, clock)
    assert waits == clock.seconds


def test_breakers_that_cannot_be_told_stop_no_message() -> None:
    """A table that refuses the open breakers fails the dispatcher, and only after everything was sent."""

    class NullLog(MemoryIndex):
        def tell_breakers(self, *_: Any, **__: Any) -> None:
            raise SecretStoreUnavailable("dynamodb:UpdateItem failed")

    index, queue = NullLog(*rows(3)), MemoryQueue()

    with pytest.raises(SecretStoreUnavailable):
        minute(index, queue)
    assert 3 == len(queue.messages) == len(index.handed_out(NOW))


def test_the_handler(
    dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The deployed handler reads the table, sends to the queue, and logs gauges of the fleet and of each provider.

    The lines have the fleet as dimension, or fleet and provider, and never a secret.
    """
    queue_url = boto3.client("sqs").create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for name, value in {"FLEET_NAME": "prod", "CLAIM_TABLE": TABLE, "FLEET_QUEUE_URL": queue_url}.items():
        monkeypatch.setenv(name, value)
    index = TableIndex(dynamodb, TABLE, "prod")
    now = datetime.now(UTC) - timedelta(seconds=2)  # the table's clock has whole seconds
    index.add(row("new", new=True, next_at=now))
    for number in range(5):
        run = failed("TokenEndpointUnavailable", at=now - timedelta(seconds=30))
        index.add(row(f"down-{number}", provider="upwork", found=run, next_at=now))

    result = dispatch({}, None)

    assert {"size": 6, "handed_out": 1, "waiting": 5} == result
    (message,) = boto3.client("sqs").receive_message(QueueUrl=queue_url)["Messages"]
    assert {"secret_id": arn("new")} == json.loads(message["Body"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ["fleet_dispatch", "fleet_provider", "fleet_provider", "breaker_open"] == [line["event"] for line in lines]
    assert {"Size": 6, "HandedOut": 1, "BreakersOpen": 1}.items() <= lines[0].items()
    assert "no_response" == lines[3]["reason"]
    directives = [line["_aws"]["CloudWatchMetrics"][0] for line in lines[:3]]
    assert [[["Fleet"]], *[[["Fleet", "Provider"]]] * 2] == [directive["Dimensions"] for directive in directives]
    assert {"TokenRefresh"} == {directive["Namespace"] for directive in directives}
    assert {"Name": "WithinWindowPercent", "Unit": "Percent"} in directives[0]["Metrics"]
    assert [("prod", "upwork"), ("prod", "xero")] == [(line["Fleet"], line["Provider"]) for line in lines[1:3]]
    assert "arn:" not in json.dumps(lines)

    waited: list[float] = []
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, seconds: waited.append(seconds))
    assert 0 == dispatch(SCHEDULED, None)["handed_out"]
    assert 50 < sum(waited), "the next one that Scheduler starts, and no person, waits for its turn"


def test_an_index_that_is_behind() -> None:
    """A row that an old listing shows as due is read once more: a run has reported, or the secret has left."""
    later = row("later", next_at=NOW + MINUTE, found=seen(at=NOW))
    stale = [row("ran"), row("left"), row("due"), later]

    class Behind(MemoryIndex):
        def rows(self) -> Iterator[Row]:
            return iter(stale)

    current = [row("ran", next_at=NOW + MINUTE, found=seen(at=NOW)), row("due")]
    fleet = read_fleet(Behind(*current), Limits(), NOW)

    assert [later, *current] == list(fleet.rows)
    assert [arn("due")] == [message.secret_arn for message in decide(fleet, NOW).messages]
