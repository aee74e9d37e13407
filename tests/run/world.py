"""A secret and a provider in memory, and runs on them that may die at any call."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from testbed import builders
from testbed.builders import NOW
from testbed.builders import fields as document_fields
from testbed.fakes import PUBLISHED_ID, SECRET_ID, FakeClock, FakeEndpoint, FakeLog, FakeStore, FakeTable
from testbed.secrets_manager.model import SecretsModel
from token_refresh_admin.changes.move import Move
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.core.claims import Record, read_record
from token_refresh_worker.core.schedule import SETTLED, Policy
from token_refresh_worker.core.versions import OUTCOME, claim_version_id
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.outcome import Outcome
from token_refresh_worker.run.ports import Deadline, RunDependencies
from token_refresh_worker.run.run import Run
from token_refresh_worker.stored.credentials import ClientCredentials, read_credentials
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import IN_VERSIONS, StoreName

FIRST_CLAIM = claim_version_id(None)
"""The version ID of the first claim in a world."""


CLAIM_LIFE = timedelta(seconds=90) + SETTLED
"""How long the claim of a run of a minute and a half lives."""


class World:
    """A secret, a provider, and runs on them."""

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        published: bool = False,
        stored: bool = True,
        keeps: bool = False,
        **document: Any,
    ) -> None:
        self.policy = policy or builders.policy()
        self.provider = load_provider("upwork")
        self.clock = FakeClock()
        self.log = FakeLog()
        self.endpoint = FakeEndpoint()
        self.model = SecretsModel()
        self.store = FakeStore(model=self.model, clock=self.clock)
        self.table = FakeTable(clock=self.clock) if self.policy.claim_store != IN_VERSIONS else None
        self.tables = {"claims": self.table} if self.table else {}
        self.published = FakeStore(model=self.model, clock=self.clock, secret_id=PUBLISHED_ID) if published else None
        self.keeps = keeps
        self.credentials_read = self.endpoints_opened = 0
        self.endpoint_error: Exception | None = None
        self._saved = 0
        self._nonces = itertools.count()
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
        left_seconds, timeout_seconds = how.pop("time_left_seconds", 90.0), how.pop("request_timeout_seconds", None)
        return Run(
            parts=RunDependencies(
                secret=SecretName(secret_id=SECRET_ID, region="eu-central-1"),
                policy=self.policy,
                deadline=Deadline(clock=self.clock, at=self.clock.seconds + left_seconds),
                request_timeout_seconds=timeout_seconds,
                store=self.store,
                claims=self.table or VersionClaims(self.store),
                keeper=self.table if self.keeps else None,
                published=self.published,
                endpoint=self._open_endpoint,
                credentials=self._credentials,
                provider=self.provider,
                nonce=lambda: f"nonce-{self.clock.seconds}-{len(self.store.calls)}-{next(self._nonces)}",
                log=self.log,
                trigger=Trigger(**{"name": "cli"} | how),
            ),
            limit=timedelta(seconds=left_seconds),
        )

    def execute(self, **how: Any) -> Outcome:
        return self.run(**how).execute()

    def outcome(self, **how: Any) -> str:
        return str(self.execute(**how).name)

    def move(self, to: StoreName) -> bool:
        """Move the claims, and deploy with the new claim store."""
        moved = self.mover().carry_out(to)
        self.policy = replace(self.policy, claim_store=to)
        self.table = self.tables[to.table] if to.table else None
        return moved

    def rename(self, to: StoreName) -> None:
        """Let the document name another table in place of a lost one, and deploy with it."""
        self.mover().rename(to)
        self.policy = replace(self.policy, claim_store=to)
        self.table = self.tables[str(to.table)]

    def authorize(self, to: StoreName) -> None:
        """Authorize with the settings of a claim store; a table's document names no claim of another store."""
        now, single_use = self.clock.service_now, {"grace_seconds": 0, "host": self.policy.host}
        before = self.current().get("tokenRefresh", {}) if to == IN_VERSIONS else {}
        known = {name: before[name] for name in ("claim", "number") if name in before}
        place = {"tokenRefresh": single_use | to.as_fields() | {"authorized": True} | known}
        self.save(refreshToken="refresh-new", issued_at=now, expires_at=now + timedelta(days=1), **place)
        self.policy = replace(self.policy, claim_store=to)
        self.table = self.tables.setdefault(to.table, self.new_table()) if to.table else None

    def new_table(self) -> FakeTable:
        return FakeTable(clock=self.clock)

    def mover(self) -> Move:
        parts = replace(self.run().parts, nonce=lambda: f"move-{next(self._nonces)}")
        return Move(
            parts=parts,
            claims=lambda name: (
                self.tables.setdefault(name.table, self.new_table()) if name.table else VersionClaims(self.store)
            ),
            memory=Memory(clock=self.clock),
        )

    def _open_endpoint(self, _: Provider) -> FakeEndpoint:
        self.endpoints_opened += 1
        if self.endpoint_error is not None:
            raise self.endpoint_error
        return self.endpoint

    def _credentials(self, document: TokenDocument) -> ClientCredentials:
        self.credentials_read += 1
        found = read_credentials(document.fields)
        assert found is not None
        return found

    @property
    def claim_table(self) -> FakeTable:
        assert self.table is not None
        return self.table

    @property
    def copy(self) -> FakeStore:
        """The published secret."""
        assert self.published is not None
        return self.published

    def record(self) -> Record:
        """How the last attempt ended."""
        found = self.store.read(label=OUTCOME)
        assert found is not None
        assert found.value is not None
        record = read_record(found.value)
        assert record is not None
        return record

    def labels(self, secret_id: str = SECRET_ID) -> dict[str, str]:
        """Which version each label is on."""
        secret = self.model.find(secret_id)
        return dict(secret.labels) if secret else {}

    def current(self, secret_id: str = SECRET_ID) -> dict[str, Any]:
        response = self.model.call("GetSecretValue", {"SecretId": secret_id}, now=NOW.timestamp())
        document: dict[str, Any] = json.loads(response["SecretString"])
        return document

    def pass_claim(self) -> None:
        """Let the claim of a run of a minute and a half end."""
        self.pass_time(CLAIM_LIFE)

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
        stores = [store for store in (self.store, self.table) if store]
        for store in stores:
            setattr(store, where, hook)
        yield
        for store in stores:
            setattr(store, where, lambda _: None)


class Killed(BaseException):
    """The process is gone: no handler of the run may catch it."""


def killed(world: World, name: str, **where: Any) -> None:
    """Run until just before (or after) a call, and die there."""
    force = where.pop("force", False)
    with world.at(name, fail(Killed()), **where), pytest.raises(Killed):
        world.execute(force=force)


def refuse(call: str, error: Exception) -> Callable[[str], None]:
    """Return a hook that raises at each call of that name."""

    def hook(called: str) -> None:
        if called == call:
            raise error

    return hook


def stale_reads(world: World, *labels_or_versions: str) -> None:
    """Let each later read of these show what is stored now."""
    old, call = SecretsModel(), world.model.call
    old.restore(world.model.snapshot())

    def respond(operation: str, request: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        named = {request.get("VersionStage"), request.get("VersionId")} & {*labels_or_versions}
        return (old.call if operation == "GetSecretValue" and named else call)(operation, request, now=now)

    world.model.call = respond  # type: ignore[method-assign]


def fail(error: BaseException) -> Callable[[], object]:
    """Return an act that raises."""

    def act() -> object:
        raise error

    return act
