"""The worker's ports, as a search has them: every call goes to one place, `Ports.ask`."""

import functools
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Final, NamedTuple
from unittest.mock import patch

from proof.starts import FIRST_VERSION
from proof.store import (
    FRESH_NONCE,
    PUBLISHED,
    TOKENS,
    Append,
    Drop,
    Item,
    Keep,
    ListIds,
    Move,
    Open,
    Put,
    Read,
    ReadTable,
    Record,
    StoreCall,
)
from proof.world import MOVES, PAUSE_SECONDS, PAUSES, RUN_SECONDS, Scenario, Violation, name_of
from token_refresh.advice import Command
from token_refresh.errors import SecretStoreUnavailable, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters import version_claims
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.cli.claims import moving
from token_refresh_worker.cli.claims.moving import Move as ClaimMove
from token_refresh_worker.core import attempts, plan, snapshot, versions
from token_refresh_worker.core.attempts import REDEMPTIONS_KEPT
from token_refresh_worker.core.claims import (
    Claim,
    ClaimPause,
    KeptTokens,
    read_claim,
    read_record,
    write_claim,
    write_record,
)
from token_refresh_worker.core.claims import Record as ClaimRecord
from token_refresh_worker.core.locked import ListedVersion
from token_refresh_worker.core.pauses import pause_claim
from token_refresh_worker.oauth.formats import AuthMethod, RequestFormat
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse
from token_refresh_worker.providers.lifetime import VERSIONS_A_CLAIM, VERSIONS_A_DAY
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.run import run, snapshot_reader
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.parts import Parts
from token_refresh_worker.run.ports import (
    ClaimStore,
    Deadline,
    NewestClaim,
    SecretStore,
    SecretVersion,
)
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.origin import StoreName

PUBLIC_CLIENT: Final = replace(load_provider("upwork"), request=RequestFormat(auth_method=AuthMethod.NONE))
REQUEST_SECONDS: Final = 20.0
MOVE_TRIES: Final = 3
"""How often a move of the search reads again: more would only wait longer."""
POLL_SECONDS: Final = 0.75
"""By its length a poll is distinguished from the sleeps between repeats."""


class Send(NamedTuple):
    """A token request."""

    refresh_token: str
    host: str


class Poll(NamedTuple):
    """A forced run waits for another run's claim: the reply says whether there is time to look again."""


class Ended(NamedTuple):
    """The run has ended."""

    outcome: str
    """An outcome, or the name of an error."""
    named: bool
    """Whether it is an outcome or an error of the tree."""
    retry_at: int | None = None
    restores: str | None = None
    """The version that its error says to restore."""


Call = StoreCall | Send | Poll


class RefusedToTheEnd(SecretStoreUnavailable):
    """A write was refused, and so was each repeat until the deadline."""


class Ports(ABC):
    """Clock and log of one run; its stores and its token endpoint ask here too."""

    def __init__(self, now: int) -> None:
        self.now = now
        """The time of the last reply: what passes between two calls, passes during the second."""
        self._polled_seconds = 0

    @abstractmethod
    def ask(self, call: Call) -> object:
        """Give the reply to a call."""

    def monotonic(self) -> float:
        """Give the stopwatch."""
        return float(self.now + self._polled_seconds)

    def sleep(self, seconds: float) -> None:
        """Wait; only a poll lets time pass, since others may act between any two calls anyway."""
        if seconds == POLL_SECONDS and not self.ask(Poll()):
            self.spend()

    def spend(self) -> None:
        """Let the run's time limit pass."""
        self._polled_seconds += RUN_SECONDS

    def info(self, event: str, **fields: object) -> None:
        """Log nothing: a search looks at what is done."""
        del event, fields

    def warning(self, event: str, **fields: object) -> None:
        """Log nothing."""
        del event, fields


class _Endpoint:
    """A token endpoint at one host."""

    def __init__(self, host: str, ports: Ports) -> None:
        self._host = host
        self._ports = ports

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        """Send a token request."""
        del timeout_seconds
        return self._ports.ask(Send(request.fields["refresh_token"], self._host))  # type: ignore[return-value]  # as asked


class _Secret:
    """One secret, as a run sees it."""

    def __init__(self, name: str, ports: Ports) -> None:
        self._name = name
        self._ports = ports

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        """Read a version."""
        return self._ports.ask(Read(self._name, label, version_id))  # type: ignore[return-value]  # what a search replies

    def versions(self) -> tuple[ListedVersion, ...]:
        """List all versions."""
        return self._ports.ask(ListIds(self._name))  # type: ignore[return-value]  # likewise

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        """Append a version."""
        try:
            return bool(self._ports.ask(Put(self._name, version_id, value.reveal(), label)))
        except RefusedToTheEnd:
            self._ports.spend()
            raise

    def move_label(self, label: str, *, to: str | None, remove_from: str | None) -> bool:
        """Move a label."""
        return bool(self._ports.ask(Move(self._name, label, to, remove_from)))


class _Table:
    """Claims in a table; the adapter itself is tested against the strict DynamoDB."""

    def __init__(self, name: str, ports: Ports) -> None:
        self._name = name
        self._ports = ports
        self._record: tuple[str, ClaimRecord | None] = "", None

    def newest(self) -> NewestClaim:
        """Read the item."""
        item = self._ports.ask(ReadTable(self._name))
        read_at = datetime.fromtimestamp(self._ports.now, UTC)
        if not isinstance(item, Item):
            return NewestClaim(claim=None, read_at=read_at)
        claim = read_claim(item.claim_id, SecretValue(item.text), datetime.fromtimestamp(item.claimed_at, UTC))
        assert claim is not None
        record = None if item.record is None else read_record(SecretValue(item.record))
        self._record = item.claim_id, record
        return NewestClaim(claim=claim, read_at=read_at, kept=_kept(claim, item.kept))

    def append(self, claim: Claim, *, after: str | None, kept: KeptTokens | None = None) -> bool:
        """Replace the claim `after`."""
        item = Item(claim.claim_id, claim.number, write_claim(claim).reveal(), claim.claimed_at.timestamp())
        return bool(self._ports.ask(Append(item, after, self._name, None if kept is None else str(kept.stored))))

    def keep(self, claim: Claim, tokens: SecretValue) -> KeptTokens | None:
        """Keep received tokens: the table is its own `TokenKeeper`."""
        kept = _kept(claim, tokens.reveal())
        return kept if self._ports.ask(Keep(claim.claim_id, tokens.reveal(), self._name)) else None

    def open(self, kept: KeptTokens) -> SecretValue:
        """Decrypt kept tokens."""
        return SecretValue(str(self._ports.ask(Open(str(kept.stored), self._name))))

    def drop(self, kept: KeptTokens) -> None:
        """Remove kept tokens."""
        self._ports.ask(Drop(str(kept.stored), self._name))

    def find(self, claim_id: str) -> Claim | None:
        """Read the item: its claim is the one that was asked for, or a newer one."""
        del claim_id
        return self.newest().claim

    def record(self, claim: Claim, record: ClaimRecord) -> None:
        """Add a record."""
        self._ports.ask(Record(claim.claim_id, write_record(record).reveal(), self._name))

    def record_of(self, claim_id: str) -> ClaimRecord | None:
        """Give the record that came with the newest claim."""
        newest, record = self._record
        return record if newest == claim_id else None


def _kept(claim: Claim, text: str | None) -> KeptTokens | None:
    return None if text is None else KeptTokens(claim=claim, stored=text)


class MoveRun:
    """The move of the command `claims move`, as a run of the search."""

    def __init__(self, scenario: Scenario, ports: Ports, kind: str) -> None:
        secret = _Secret(TOKENS, ports)
        self._to = name_of(scenario.claims_of(kind))
        source = name_of(scenario.claims_of("s" if kind == "m" else "S"))
        self._move = ClaimMove(
            secret=SecretName(secret_id=TOKENS, region="eu-central-1"),
            store=secret,
            claims=lambda name: _claims(name, secret, ports),
            policy=replace(scenario.policy(), claim_store=source),
            needs_refresh_token=True,
            nonce=lambda: FRESH_NONCE,
            memory=Memory(clock=ports),
        )

    def execute(self) -> None:
        """Carry the move out."""
        self._move.carry_out(self._to)


class PauseRun:
    """What `pause` and `resume` append, as a run of the search: once, where the command would not wait or refuse."""

    def __init__(self, scenario: Scenario, ports: Ports, kind: str) -> None:
        secret = _Secret(TOKENS, ports)
        self._store = scenario.policy().claim_store
        self._claims = _claims(self._store, secret, ports)
        self._lasts = timedelta(seconds=PAUSE_SECONDS if kind == "p" else 0)
        self._reader = SnapshotReader(
            store=secret,
            claims=self._claims,
            claim_store=self._store.kind,
            secret=SecretName(secret_id=TOKENS, region="eu-central-1"),
            needs_refresh_token=True,
            memory=Memory(clock=ports),
        )

    def execute(self) -> None:
        """Append the pause, or its end."""
        snapshot = self._reader.read()
        if snapshot.kept is None and snapshot.open_until is None and snapshot.missing_claim_id is None:
            pause = ClaimPause(until=snapshot.now + self._lasts, why="maintenance")
            claim = pause_claim(snapshot, self._store, pause, nonce=FRESH_NONCE)
            self._claims.append(claim, after=snapshot.newest_claim_id)


def _claims(name: StoreName, secret: SecretStore, ports: Ports) -> ClaimStore:
    return VersionClaims(secret) if name.table is None else _Table(name.table, ports)


def build_run(scenario: Scenario, ports: Ports, kind: str) -> Run | MoveRun | PauseRun:
    """Put the real run together, on these ports."""
    if kind in PAUSES:
        return PauseRun(scenario, ports, kind)
    if kind in MOVES:
        return MoveRun(scenario, ports, kind)
    secret: SecretStore = _Secret(TOKENS, ports)
    policy = scenario.policy(kind)
    claims = _claims(policy.claim_store, secret, ports)
    return Run(
        parts=Parts(
            secret=SecretName(secret_id=TOKENS, region="eu-central-1"),
            policy=policy,
            deadline=Deadline(clock=ports, at=ports.monotonic() + scenario.run_seconds - scenario.margin_seconds),
            store=secret,
            claims=claims,
            keeper=claims if isinstance(claims, _Table) else None,
            published=_Secret(PUBLISHED, ports) if scenario.published else None,
            endpoint=lambda _: _Endpoint(policy.host, ports),
            credentials=lambda _: ClientCredentials(client_id="client", client_secret=None),
            provider=PUBLIC_CLIENT,
            nonce=lambda: FRESH_NONCE,
            log=ports,
            request_timeout_seconds=REQUEST_SECONDS,
        ),
        limit=timedelta(seconds=scenario.run_seconds),
        trigger=Trigger(name="cli", force=kind in "fF", resend=named_claim(scenario) if kind == "n" else None),
    )


def named_claim(scenario: Scenario) -> str:
    """Return the ID of the search's first claim, which a run of the letter `n` names."""
    claim_id = versions.claim_version_id(None if scenario.claims == "versions" else FIRST_VERSION)
    for _ in range(scenario.before):
        claim_id = versions.claim_version_id(claim_id)
    return claim_id


def settle(run: Run | MoveRun | PauseRun) -> Ended:
    """Execute a run to its end."""
    try:
        outcome = run.execute()
    except TokenRefreshError as error:
        commands = [part.words for part in error.fix if isinstance(part, Command)]
        restored = next((words[-1] for words in commands if "restore" in words and "--version" in words), None)
        return Ended(type(error).__name__, named=True, restores=restored)
    except Violation:
        raise
    except Exception as error:  # noqa: BLE001 - a defect of the worker is what this program looks for
        return Ended(f"{type(error).__name__}: {error}", named=False)
    if outcome is None:
        return Ended("moved or paused", named=True)
    retry_at = None if outcome.retry_at is None else int(outcome.retry_at.timestamp())
    return Ended(str(outcome.name), named=True, retry_at=retry_at)


@contextmanager
def searching(scenario: Scenario) -> Iterator[None]:
    """Set the daily limit of claims to the scenario's, and work out pure functions once, while a search goes on."""
    per_claim = VERSIONS_A_CLAIM[name_of(scenario.claims).kind]
    limit = VERSIONS_A_DAY if scenario.claims_a_day is None else scenario.claims_a_day * per_claim
    kept = REDEMPTIONS_KEPT if scenario.redemptions_kept is None else scenario.redemptions_kept
    with ExitStack() as stack:
        stack.enter_context(patch.object(plan, "VERSIONS_A_DAY", limit))
        stack.enter_context(patch.object(attempts, "REDEMPTIONS_KEPT", kept))
        stack.enter_context(patch.object(moving, "TRIES", MOVE_TRIES))
        stack.enter_context(patch.object(run, "POLL_SECONDS", (POLL_SECONDS,)))
        for module, name in _PURE:
            stack.enter_context(patch.object(module, name, functools.cache(getattr(module, name))))
        yield


_PURE: Final[tuple[tuple[ModuleType, str], ...]] = (
    (versions, "_derive"),
    (snapshot, "fingerprint_of"),
    (snapshot_reader, "fingerprint_of"),
    (snapshot_reader, "read_document"),
    (version_claims, "read_claim"),
    (sys.modules[__name__], "read_claim"),
)
