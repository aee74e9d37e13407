"""Work on many secrets: `fleet add` of 10,000 on a virtual clock, and what ends it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from threading import current_thread
from typing import Any, cast

import boto3
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse

from fleet.conftest import Stub
from fleet.rows import arn
from testbed.builders import NOW
from testbed.fakes import FakeClock
from testbed.virtual_clock import VirtualClock
from token_refresh.errors import SecretNotFound
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.fleet.threads import TAGS_PER_SECOND, THREADS, paced, paced_tags, run_in_threads
from token_refresh_admin.cli.membership import join
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Row

SECRETS = [f"customers/{number}" for number in range(10_000)]


@dataclass
class SlowAccount:
    """Secrets Manager as an operator meets it, in the place of the command's context."""

    clock: VirtualClock
    random: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - latency, not a secret
    tagged: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    tags_in_second: Counter[int] = field(default_factory=Counter)
    given: dict[str, str] = field(default_factory=dict)
    region: str = "eu-central-1"
    before_tag: Callable[[], None] = lambda: None

    def call(self, action: str, secret_id: str, **members: Any) -> dict[str, Any]:
        if action == "TagResource":
            self.before_tag()
            self.tags_in_second[int(self.clock.seconds)] += 1
            self.tagged[secret_id] = members["Tags"]
        # A call takes 0.1 to 0.4 s; the one to the table is counted with it.
        self.clock.sleep(self.random.uniform(0.1, 0.4))
        return {"ARN": arn(secret_id), "Tags": self.tagged.get(secret_id, [])}


@dataclass(slots=True)
class Joining:
    """As much of an index as `join` needs."""

    rows: dict[str, Row] = field(default_factory=dict)

    def read_clock(self) -> datetime:
        return NOW

    def add(self, row: Row) -> bool:
        return self.rows.setdefault(row.secret_arn, row) is row

    def look_at(self, secret_arn: str, now: datetime) -> bool:
        return now == NOW and secret_arn in self.rows


def add_all(account: SlowAccount, index: Joining, *, seconds: float) -> None:
    """Let as many threads as the command has add the secrets, until they are done, or killed."""
    clock, names = account.clock, iter(SECRETS)
    account.before_tag = paced(clock)

    def work(left: Iterator[str]) -> None:
        for name in left:
            join(cast("Context", account), cast("TableIndex", index), fleet="prod", secret_id=name)

    for _ in range(THREADS):
        clock.start(lambda: work(names))
    clock.run_until(clock.seconds + seconds)


def test_ten_thousand_are_added_in_five_minutes() -> None:
    """10,000 secrets join in under five minutes with at most 40 tags a second, also if it is killed on the way.

    What is tagged already is not tagged again, so the second command needs only the rest of the time.
    """
    account, index = SlowAccount(VirtualClock()), Joining()
    add_all(account, index, seconds=100)  # and the process is killed: what it knew is gone
    killed = len(account.tagged)
    second = SlowAccount(VirtualClock(), tagged=dict(account.tagged))
    add_all(second, index, seconds=300)

    assert 3_900 < killed < 4_100
    assert SECRETS == sorted((row.name for row in index.rows.values()), key=lambda name: int(name.rpartition("/")[2]))
    assert 10_000 - killed == second.tags_in_second.total(), "none of them twice"
    assert max(*account.tags_in_second.values(), *second.tags_in_second.values()) <= TAGS_PER_SECOND
    assert max(second.tags_in_second) < 300 - 100


@pytest.mark.parametrize(
    ("action", "request_of"),
    [
        ("TagResource", {"SecretId": "a", "Tags": [{"Key": "k", "Value": "v"}]}),
        ("UntagResource", {"SecretId": "a", "TagKeys": ["k"]}),
        ("CreateSecret", {"Name": "a", "Tags": [{"Key": "k", "Value": "v"}]}),
    ],
)
def test_repeated_tags_wait_too(monkeypatch: pytest.MonkeyPatch, action: str, request_of: dict[str, Any]) -> None:
    """Tagging that AWS throttles is repeated within the 40 a second, and what comes after the command is not slowed."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    client = boto3.client("secretsmanager", region_name="eu-central-1")
    sent_at, clock = list[float](), FakeClock()
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)

    def throttle_twice(request: Any, **_: Any) -> Any:
        sent_at.append(clock.seconds)
        status, body = (400, b'{"__type": "ThrottlingException"}') if len(sent_at) < 3 else (200, b"{}")
        return AWSResponse(request.url, status, cast("Any", {}), Stub(stream=lambda: [body]))

    with paced_tags(client, clock):
        client.meta.events.register_last(f"before-send.secrets-manager.{action}", throttle_twice)
        getattr(client, xform_name(action))(**request_of)
    getattr(client, xform_name(action))(**request_of)

    assert [0, 1 / 40, 2 / 40, 2 / 40] == pytest.approx(sent_at)


def test_one_that_fails_stops_no_other() -> None:
    """Each name comes back once, with its error if it has one."""

    def act(name: str) -> None:
        if name == "b":
            raise SecretNotFound("b is not there")

    found = dict(run_in_threads(["a", "b", "c"], act, count=2))

    assert {"a": None, "c": None} == {name: error for name, error in found.items() if error is None}
    assert isinstance(found["b"], SecretNotFound)


def test_a_defect_ends_the_work() -> None:
    """An error of this program is raised, and names that nobody has begun are left alone."""
    begun = []

    def act(name: str) -> None:
        begun.append(name)
        raise KeyError(name)

    with pytest.raises(KeyError):
        list(run_in_threads(list("abcdefgh"), act, count=1))
    assert ["a"] == begun


def test_no_thread_outlives_a_second_ctrl_c() -> None:
    """What is under way ends after Ctrl-C, and a second one ends the process, which waits for no thread."""
    daemons = list[bool]()

    assert [("a", None)] == list(run_in_threads(["a"], lambda _: daemons.append(current_thread().daemon)))
    assert [True] == daemons
