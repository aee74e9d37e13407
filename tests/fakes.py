"""In-memory stand-ins for the ports of a run; tests/adapters/test_store_contract.py holds the store to the real one."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import DAY, NOW, policy
from builders import fields as document_fields
from rig.secrets_limits import ServiceError
from rig.secrets_model import SecretsModel
from token_refresh.core.document import TokenDocument
from token_refresh.core.oauth import Answer, AuthMethod, ClientCredentials, TokenRequest, TokenResponse
from token_refresh.core.schedule import Policy
from token_refresh.core.secret_value import SecretValue
from token_refresh.ports import Deadline, SecretVersion
from token_refresh.refresh import Parts, Run, Settled

SECRET_ID = "tokens"
PUBLISHED_ID = "published-tokens"


@dataclass(slots=True)
class FakeClock:
    """A stopwatch that moves when somebody sleeps, and the service's time of day beside it."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def service_now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


@dataclass(slots=True)
class FakeStore:
    """One secret in the faithful model; `before` and `after` are asked around each call, and may raise or act."""

    model: SecretsModel
    clock: FakeClock
    secret_id: str = SECRET_ID
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        which = {"VersionStage": label} if version_id is None else {"VersionId": version_id}
        try:
            answer = self._call(f"read {label or 'version'}", "GetSecretValue", which)
        except ServiceError:
            return None
        text = answer.get("SecretString")
        return SecretVersion(
            version_id=answer["VersionId"],
            labels=frozenset(answer["VersionStages"]),
            created_at=datetime.fromtimestamp(answer["CreatedDate"], UTC),
            read_at=self.clock.service_now,
            value=None if text is None else SecretValue(text),
        )

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        what = {"ClientRequestToken": version_id, "SecretString": value.reveal(), "VersionStages": [label]}
        return self._try(f"put {label}", "PutSecretValue", what)

    def move_label(self, label: str, *, to: str | None, remove_from: str | None) -> bool:
        what = {"VersionStage": label, "MoveToVersionId": to, "RemoveFromVersionId": remove_from}
        given = {name: value for name, value in what.items() if value is not None}
        return self._try(f"move {label}", "UpdateSecretVersionStage", given)

    def _try(self, name: str, operation: str, what: dict[str, Any]) -> bool:
        try:
            self._call(name, operation, what)
        except ServiceError:
            return False
        return True

    def _call(self, name: str, operation: str, what: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(name)
        self.before(name)
        now = self.clock.service_now.timestamp()
        answer = self.model.call(operation, {"SecretId": self.secret_id} | what, now=now)
        self.after(name)
        return answer


@dataclass(slots=True)
class FakeEndpoint:
    """Answers as it is told, and with new tokens once it was told all."""

    answers: list[Answer | Callable[[], Answer]] = field(default_factory=list)
    requests: list[TokenRequest] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> Answer:
        self.requests.append(request)
        self.timeouts.append(timeout_seconds)
        if not self.answers:
            return tokens(len(self.requests))
        answer = self.answers.pop(0)
        return answer() if callable(answer) else answer


@dataclass(slots=True)
class FakeLog:
    """Keeps the names of the events."""

    events: list[str] = field(default_factory=list)
    fields: list[dict[str, object]] = field(default_factory=list)

    def info(self, event: str, **fields: object) -> None:
        self.events.append(event)
        self.fields.append(fields)

    def warning(self, event: str, **fields: object) -> None:
        self.info(event, **fields)


def tokens(number: int = 1, *, refresh_token: str | None = "", lifetime: timedelta | None = DAY) -> TokenResponse:
    """A provider's answer: `access-1` and `refresh-1`, or another number's; None for no refresh token."""
    new = None if refresh_token is None else SecretValue(refresh_token or f"refresh-{number}")
    return TokenResponse(access_token=SecretValue(f"access-{number}"), refresh_token=new, lifetime=lifetime)


class World:
    """A secret, a provider, and runs on them."""

    def __init__(
        self, *, policy: Policy | None = None, published: bool = False, stored: bool = True, **document: Any
    ) -> None:
        self.policy = policy or default_policy()
        self.clock = FakeClock()
        self.log = FakeLog()
        self.endpoint = FakeEndpoint()
        self.model = SecretsModel()
        self.store = FakeStore(model=self.model, clock=self.clock)
        self.published = FakeStore(model=self.model, clock=self.clock, secret_id=PUBLISHED_ID) if published else None
        self.credentials_read = 0
        self._saved = 0
        for name in (SECRET_ID, PUBLISHED_ID):
            self._operate("CreateSecret", {"Name": name})
        if stored:
            self.save(**document)

    def save(self, **document: Any) -> str:
        """Store a token document as an operator would: as a new current version."""
        return self.save_text(json.dumps(document_fields(**document)))

    def save_text(self, text: str) -> str:
        return str(self._operate("PutSecretValue", {"SecretId": SECRET_ID, "SecretString": text})["VersionId"])

    def save_bytes(self, encoded: str) -> None:
        self._operate("PutSecretValue", {"SecretId": SECRET_ID, "SecretBinary": encoded})

    def _operate(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self._saved += 1
        token = {"ClientRequestToken": f"{self._saved:032}"}
        return self.model.call(operation, request | token, now=self.clock.service_now.timestamp())

    def run(self, **how: Any) -> Run:
        return Run(
            parts=Parts(
                store=self.store,
                published=self.published,
                endpoint=lambda: self.endpoint,
                credentials=self._credentials,
                auth_method=AuthMethod.POST,
                nonce=lambda: f"nonce-{self.clock.seconds}-{len(self.store.calls)}",
                clock=self.clock,
                log=self.log,
            ),
            policy=self.policy,
            secret_id=SECRET_ID,
            deadline=Deadline(clock=self.clock, at=self.clock.seconds + how.pop("time_left_seconds", 90.0)),
            request_timeout_seconds=20.0,
            **how,
        )

    def execute(self, **how: Any) -> Settled:
        return self.run(**how).execute()

    def outcome(self, **how: Any) -> str:
        return self.execute(**how).outcome

    def _credentials(self, document: TokenDocument) -> ClientCredentials:
        del document
        self.credentials_read += 1
        return ClientCredentials(client_id="client", client_secret=SecretValue("hush"))

    def labels(self, secret_id: str = SECRET_ID) -> dict[str, str]:
        """Which version each label is on."""
        secret = self.model.find(secret_id)
        return dict(secret.labels) if secret else {}

    def current(self, secret_id: str = SECRET_ID) -> dict[str, Any]:
        answer = self.model.call("GetSecretValue", {"SecretId": secret_id}, now=NOW.timestamp())
        document: dict[str, Any] = json.loads(answer["SecretString"])
        return document

    def pass_time(self, duration: timedelta) -> None:
        self.clock.seconds += duration.total_seconds()

    @contextmanager
    def at(self, name: str, act: Callable[[], object], *, nth: int = 1, after: bool = False) -> Iterator[None]:
        """Act just before (or after) the nth call of that name."""
        seen = 0

        def hook(called: str) -> None:
            nonlocal seen
            seen += called == name
            if called == name and seen == nth:
                act()

        where = "after" if after else "before"
        setattr(self.store, where, hook)
        yield
        setattr(self.store, where, lambda _: None)


def default_policy() -> Policy:
    return policy()


class Killed(BaseException):
    """The process is gone: no handler of the run may catch it."""


def killed(world: World, name: str, **where: Any) -> None:
    """Run until just before (or after) a call, and die there."""
    with world.at(name, fail(Killed()), **where), pytest.raises(Killed):
        world.execute()


def fail(error: BaseException) -> Callable[[], object]:
    """Give an act that raises."""

    def act() -> object:
        raise error

    return act


__all__ = [
    "PUBLISHED_ID",
    "SECRET_ID",
    "FakeClock",
    "FakeEndpoint",
    "FakeLog",
    "FakeStore",
    "Killed",
    "World",
    "fail",
    "killed",
    "tokens",
]
