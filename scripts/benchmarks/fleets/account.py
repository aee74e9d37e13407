"""An AWS account on the virtual clock: Secrets Manager with latency and quotas, and a FIFO queue with its groups."""

import json
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from botocore.exceptions import ClientError

from testbed.aws.errors import ServiceError
from testbed.secrets_manager.model import SecretsModel
from testbed.virtual_clock import VirtualClock
from token_refresh_worker.core.versions import CURRENT, OUTCOME
from token_refresh_worker.fleet.core.fleet import LEASE, Message

SECONDS_A_MINUTE = 60
CALL_SECONDS = 0.06
FIRST_RUNS = 5.0
MORE_RUNS_A_SECOND = 5.0
FEWEST_RUNS = 2.0
THROTTLED_SECONDS = 1.0
"""When the mapping tries again to start a function that was throttled."""
START_SECONDS = 0.03
"""From a message in the queue to the first line of the function."""


@dataclass(slots=True)
class Bucket:
    """A token bucket, as AWS describes its throttling."""

    clock: VirtualClock
    per_second: float
    burst: float
    level: float = 0.0
    since: float = 0.0
    taken: int = 0

    def take(self) -> bool:
        """Take one, if there is one."""
        now = self.clock.seconds
        self.level = min(self.burst, self.level + (now - self.since) * self.per_second)
        self.since = now
        if self.level < 1:
            return False
        self.level -= 1
        self.taken += 1
        return True


@dataclass(slots=True)
class SlidingLog:
    """A limiter that counts the requests of the last minute, also those that it refused."""

    clock: VirtualClock
    per_minute: float
    at: deque[float] = field(default_factory=deque)

    def take(self) -> bool:
        """Count a request, and tell whether it is one of those that are allowed."""
        now = self.clock.seconds
        while self.at and now - self.at[0] >= SECONDS_A_MINUTE:
            self.at.popleft()
        self.at.append(now)
        return len(self.at) <= self.per_minute


class VirtualSecretsManager:
    """What the worker's adapter takes for a client of Secrets Manager."""

    class meta:  # noqa: N801 - as botocore names it
        """Where it is."""

        region_name = "eu-central-1"

    def __init__(self, clock: VirtualClock, *, writes_per_second: float = 50.0) -> None:
        self.clock = clock
        self.models: dict[str, SecretsModel] = {}
        """One for each secret, by ARN, so that a call takes the same time however many there are."""
        self.writes = Bucket(clock, writes_per_second, writes_per_second, level=writes_per_second)
        self.throttled = 0
        self.outage: tuple[float, float] = (0.0, 0.0)
        """Seconds from and to which the service throttles every call."""
        self.refusal: tuple[float, float] = (0.0, 0.0)
        """Seconds from and to which it refuses every write."""
        self.unwritable: set[str] = set()
        """ARNs of secrets whose own key refuses to encrypt."""
        self.unreadable: set[str] = set()
        """ARNs of secrets whose own key refuses to decrypt."""
        self.slowed: set[str] = set()
        """ARNs of secrets of one customer, whose key is throttled."""

    def get_secret_value(self, **what: Any) -> dict[str, Any]:
        """Read."""
        return self._call("GetSecretValue", what)

    def list_secret_version_ids(self, **what: Any) -> dict[str, Any]:
        """List the versions."""
        return self._call("ListSecretVersionIds", what)

    def put_secret_value(self, **what: Any) -> dict[str, Any]:
        """Write a version."""
        return self._call("PutSecretValue", what, writes=True)

    def update_secret_version_stage(self, **what: Any) -> dict[str, Any]:
        """Move a label."""
        return self._call("UpdateSecretVersionStage", what, writes=True)

    def store(self, name: str, document: dict[str, Any], *, version_id: str | None = None) -> str:
        """Create a secret, as an operator would before the benchmark begins; give its ARN."""
        now = self.clock.now.timestamp() - 3600
        version = version_id or version_of(name)
        request = {"Name": name, "SecretString": json.dumps(document), "ClientRequestToken": version}
        model = SecretsModel()
        secret_arn = str(model.call("CreateSecret", request, now=now)["ARN"])
        self.models[secret_arn] = model
        return secret_arn

    def current(self, secret_arn: str) -> dict[str, Any]:
        """Return the current document, which takes no time."""
        return self.stored(secret_arn)[0]

    def stored(self, secret_arn: str) -> list[dict[str, Any]]:
        """Return the current document, and the one that a run stored and has not made current, if there is one."""
        found = []
        for label in (CURRENT, OUTCOME):
            what = {"SecretId": secret_arn, "VersionStage": label}
            with suppress(ServiceError):
                response = self.models[secret_arn].call("GetSecretValue", what, now=self.clock.now.timestamp())
                found.append(json.loads(response["SecretString"]))
        return found

    def _call(self, operation: str, what: dict[str, Any], *, writes: bool = False) -> dict[str, Any]:
        self.clock.sleep(CALL_SECONDS)
        if _during(self.outage, self.clock) or (writes and not self.writes.take()):
            self.throttled += 1
            raise _refusal(operation, "ThrottlingException", "Rate exceeded")
        if writes and _during(self.refusal, self.clock):
            raise _refusal(operation, "InternalServiceError", "An error occurred on the server side")
        if writes and what["SecretId"] in self.slowed:
            raise _refusal(operation, "ThrottlingException", "You have exceeded the rate at which you may call KMS")
        # A label is moved without the key.
        if operation == "PutSecretValue" and what["SecretId"] in self.unwritable:
            raise _refusal(operation, "AccessDeniedException", "not authorized to perform: kms:GenerateDataKey")
        if operation == "GetSecretValue" and what["SecretId"] in self.unreadable:
            raise _refusal(operation, "AccessDeniedException", "Access to KMS is not allowed")
        if what["SecretId"] not in self.models:
            raise _refusal(operation, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        try:
            response = self.models[what["SecretId"]].call(operation, what, now=self.clock.now.timestamp())
        except ServiceError as error:
            raise _refusal(operation, error.code, str(error)) from None
        if "Versions" in response:
            response = {**response, "Versions": [_dated(version) for version in response["Versions"]]}
        headers = {"date": format_datetime(self.clock.now, usegmt=True)}
        return {**_dated(response), "ResponseMetadata": {"HTTPHeaders": headers}}


def _dated(response: dict[str, Any]) -> dict[str, Any]:
    if "CreatedDate" not in response:
        return response
    return {**response, "CreatedDate": datetime.fromtimestamp(response["CreatedDate"], UTC)}


def version_of(name: str) -> str:
    """Return the ID of a secret's first version."""
    return f"{name:0>40}"


def _during(span: tuple[float, float], clock: VirtualClock) -> bool:
    return span[0] <= clock.seconds < span[1]


def _refusal(operation: str, code: str, text: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(response, operation)


class Killed(Exception):  # noqa: N818 - not an error of the benchmark
    """A run killed its function: nothing of the run comes after this."""


@dataclass(slots=True)
class VirtualQueue:
    """SQS FIFO with Lambda on it: one message of a group at a time, and no ID twice in five minutes.

    The mapping starts with five runs at once and grows by five a second (AWS documents 300 a minute). After an error
    or a throttled start it goes on with half of them; how fast it recovers is not documented, so it grows as before.
    """

    clock: VirtualClock
    run: Callable[[Message], None]
    concurrency: int
    receives: int = 1
    """How often a message is received before it goes to the dead letters."""
    invisible_seconds: float = 540.0
    """How long a message that a run did not finish stays invisible, and holds up its group."""
    account: Callable[[], int] = lambda: 1_000
    """How many functions the account may still run at once; other functions use it, too."""
    running: int = 0
    longest: int = 0
    dead: int = 0
    throttled: int = 0
    _level: float = FIRST_RUNS
    _since: float = 0.0
    _received: Counter[str] = field(default_factory=Counter)
    _waiting: dict[str, deque[Message]] = field(default_factory=dict)
    _busy: set[str] = field(default_factory=set)
    _ids: dict[str, float] = field(default_factory=dict)

    def send(self, messages: Any) -> list[str]:
        """Take messages; implements the port `Queue`."""
        for message in messages:
            self._take(message)
        self._start()
        return [message.message_id for message in messages]

    def _take(self, message: Message) -> None:
        if self.clock.seconds - self._ids.get(message.message_id, -1e9) < LEASE.total_seconds():
            return
        self._ids[message.message_id] = self.clock.seconds
        self._waiting.setdefault(message.group, deque()).append(message)
        self.longest = max(self.longest, sum(map(len, self._waiting.values())))

    def _runs_at_once(self) -> int:
        now = self.clock.seconds
        self._level = min(self.concurrency, self._level + (now - self._since) * MORE_RUNS_A_SECOND)
        self._since = now
        return int(self._level)

    def _back_off(self) -> None:
        self._level = max(FEWEST_RUNS, self._runs_at_once() / 2)

    def _start(self) -> None:
        for group in list(self._waiting):
            if self.running >= self._runs_at_once():
                # Nothing else may come before there is room again.
                if self.running < self.concurrency:
                    self.clock.at(self.clock.seconds + 1, self._start)
                return
            if group not in self._busy:
                if self.running >= self.account():
                    self.throttled += 1
                    self._back_off()
                    self.clock.at(self.clock.seconds + THROTTLED_SECONDS, self._start)
                    return
                self._begin(group)

    def _begin(self, group: str) -> None:
        waiting = self._waiting.pop(group)
        message = waiting.popleft()
        if waiting:
            self._waiting[group] = waiting  # at the end, so that every group has its turn
        self._busy.add(group)
        self.running += 1

        def job() -> None:
            self.clock.sleep(START_SECONDS)
            began = self.clock.seconds
            try:
                self.run(message)
            except Killed:
                self._back_off()
                self.clock.at(began + self.invisible_seconds, lambda: self._show_again(message))
            else:
                self._busy.discard(group)
            finally:
                self.running -= 1
                self._start()

        self.clock.start(job)

    def _show_again(self, message: Message) -> None:
        self._received[message.message_id] += 1
        self._busy.discard(message.group)
        if self._received[message.message_id] < self.receives:
            self._waiting.setdefault(message.group, deque()).appendleft(message)
        else:
            del self._received[message.message_id]
            self.dead += 1
        self._start()
