"""The worker's ports, as a search has them: every call goes to one place, `Ports.ask`."""

import functools
import itertools
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from proof.providers import first_document, first_response
from proof.starts import FIRST_VERSION
from proof.store import (
    FRESH_NONCE,
    PUBLISHED,
    TOKENS,
    Append,
    Drop,
    Item,
    Keep,
    List,
    ListIds,
    Move,
    Open,
    Put,
    Read,
    ReadTable,
    Record,
    StoreCall,
)
from proof.world import (
    BY_HAND,
    COMMANDS,
    EPOCH_SECONDS,
    HOST,
    LIFETIME_SECONDS,
    MOVES,
    PAUSE_SECONDS,
    PAUSES,
    RUN_SECONDS,
    Scenario,
    Violation,
    name_of,
)
from token_refresh.advice import Command
from token_refresh.errors import SecretFull, SecretStoreUnavailable, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes import change, past
from token_refresh_admin.changes.change import ChangeFailed, fields_of
from token_refresh_admin.changes.client import replace_client
from token_refresh_admin.changes.move import Move as ClaimMove
from token_refresh_admin.changes.past import ListedSecret, ListedVersion, VersionHistory, VersionKind
from token_refresh_admin.changes.pause import Pausing
from token_refresh_admin.changes.publish import PublishedCopyBeforeChange
from token_refresh_admin.changes.recover import UnreadResponse
from token_refresh_admin.changes.restore import check_claims, choose, prepare
from token_refresh_admin.changes.revoke import revoke_grant
from token_refresh_admin.changes.store import NewGrant, find_lost_claim
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.core import attempts, claims, plan, snapshot, versions
from token_refresh_worker.core.attempts import MOST_REDEMPTIONS
from token_refresh_worker.core.claims import Claim, KeptTokens, read_claim, read_record, write_claim, write_record
from token_refresh_worker.core.claims import Record as ClaimRecord
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.oauth.formats import AuthMethod, RequestFormat
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest
from token_refresh_worker.providers.lifetime import VERSIONS_A_CLAIM, VERSIONS_A_DAY
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.provider import Grace
from token_refresh_worker.run import redemption, run, snapshot_reader, version_capacity
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import (
    ClaimStore,
    Deadline,
    NewestClaim,
    RunDependencies,
    SecretStore,
    SecretVersion,
)
from token_refresh_worker.run.run import Run
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.origin import StoreName, read_origin

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


class Authorize(NamedTuple):
    """The exchange of an authorization code."""


class Revoke(NamedTuple):
    """A request to the revocation endpoint."""

    refresh_token: str


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


Call = StoreCall | Send | Authorize | Revoke | Poll


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
        """Return the reply to a call."""

    def monotonic(self) -> float:
        """Return the stopwatch."""
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
        del event, fields


class _Endpoint:
    """A token endpoint at one host."""

    def __init__(self, host: str, ports: Ports) -> None:
        self._host = host
        self._ports = ports

    def sign(self, request: TokenRequest) -> FailedRequest | None:
        del request
        return None

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        del timeout_seconds
        return self._ports.ask(Send(request.fields["refresh_token"], self._host))  # type: ignore[return-value]  # as asked


class _Secret:
    """One secret, as a run sees it."""

    def __init__(self, name: str, ports: Ports) -> None:
        self._name = name
        self._ports = ports

    def read(self, *, label: str | None = None, version_id: str | None = None) -> SecretVersion | None:
        return self._ports.ask(Read(self._name, label, version_id))  # type: ignore[return-value]  # what a search replies

    def versions(self) -> tuple[VersionEntry, ...]:
        return self._ports.ask(ListIds(self._name))  # type: ignore[return-value]  # likewise

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        try:
            return bool(self._ports.ask(Put(self._name, version_id, value.reveal(), label)))
        except RefusedToTheEnd:
            self._ports.spend()
            raise

    def move_label(self, label: str, *, to: str | None, remove_from: str | None) -> bool:
        return bool(self._ports.ask(Move(self._name, label, to, remove_from)))


class _Table:
    """Claims in a table; the adapter itself is tested against the strict DynamoDB."""

    def __init__(self, name: str, ports: Ports) -> None:
        self._name = name
        self._ports = ports
        self._record: tuple[str, ClaimRecord | None] = "", None

    def newest(self) -> NewestClaim:
        item = self._ports.ask(ReadTable(self._name))
        read_at = datetime.fromtimestamp(self._ports.now, UTC)
        if not isinstance(item, Item):
            return NewestClaim(claim=None, read_at=read_at)
        claim = read_claim(item.claim_id, SecretValue(item.text), datetime.fromtimestamp(item.claimed_at, UTC))
        assert claim is not None
        record = None if item.record is None else read_record(SecretValue(item.record))
        self._record = item.claim_id, record
        return NewestClaim(claim=claim, read_at=read_at, kept_tokens=_kept_tokens(claim, item.kept_tokens))

    def append(self, claim: Claim, *, after: str | None, kept_tokens: KeptTokens | None = None) -> bool:
        item = Item(claim.claim_id, claim.number, write_claim(claim).reveal(), claim.claimed_at.timestamp())
        there = None if kept_tokens is None else str(kept_tokens.stored)
        return bool(self._ports.ask(Append(item, after, self._name, there)))

    def keep(self, claim: Claim, tokens: SecretValue) -> KeptTokens | None:
        """Keep received tokens: the table is its own `TokenKeeper`."""
        kept = _kept_tokens(claim, tokens.reveal())
        return kept if self._ports.ask(Keep(claim.claim_id, tokens.reveal(), self._name)) else None

    def open(self, kept: KeptTokens) -> SecretValue:
        return SecretValue(str(self._ports.ask(Open(str(kept.stored), self._name))))

    def drop(self, kept: KeptTokens) -> None:
        self._ports.ask(Drop(str(kept.stored), self._name))

    def find(self, claim_id: str) -> Claim | None:
        """Read the item: its claim is the one that was asked for, or a newer one."""
        del claim_id
        return self.newest().claim

    def store_record(self, claim: Claim, record: ClaimRecord) -> None:
        self._ports.ask(Record(claim.claim_id, write_record(record).reveal(), self._name))

    def record_of(self, claim_id: str) -> ClaimRecord | None:
        """Return the record that came with the newest claim."""
        newest, record = self._record
        return record if newest == claim_id else None


def _kept_tokens(claim: Claim, text: str | None) -> KeptTokens | None:
    return None if text is None else KeptTokens(claim=claim, stored=text)


class MoveRun:
    """The move of the command `claims move`, as a run of the search."""

    def __init__(self, scenario: Scenario, ports: Ports, kind: str) -> None:
        parts = _parts(scenario, ports, kind)
        self._to = name_of(scenario.claims_of(kind))
        source = name_of(scenario.claims_of("s" if kind == "m" else "S"))
        self._move = ClaimMove(
            parts=replace(parts, policy=replace(scenario.policy(), claim_store=source)),
            claims=lambda name: _claims(name, parts.store, ports),
            memory=Memory(clock=ports),
        )

    def execute(self) -> None:
        self._move.carry_out(self._to)


class PauseRun:
    """The commands `pause` and `resume`, as a run of the search."""

    def __init__(self, scenario: Scenario, ports: Ports, kind: str) -> None:
        self._pauses = Pausing(open=lambda: _parts(scenario, ports, kind), waiting=_not_now)
        self._begins = kind == "p"

    def execute(self) -> None:
        if self._begins:
            self._pauses.pause(timedelta(seconds=PAUSE_SECONDS), "maintenance")
        elif (ended := self._pauses.paused()) is not None:
            self._pauses.resume(ended)


class CommandRun:
    """A command that stores something, as a run of the search: what it does below its screen."""

    def __init__(
        self, scenario: Scenario, ports: Ports, kind: str, version_id: str | None = None, settings: str = "s"
    ) -> None:
        self._ports, self._kind, self._version_id = ports, kind, version_id
        which = f"{kind}-{version_id}-{ports.now}" if version_id else kind  # Two printed commands are not the same.
        made, grace = itertools.count(), Grace(duration=timedelta(seconds=scenario.grace_seconds))
        self.parts = replace(
            _parts(scenario, ports, settings),
            provider=replace(PUBLIC_CLIENT, token_endpoint=f"https://{HOST}/token", grace=grace),
            nonce=lambda: FRESH_NONCE if kind == "v" else f"{which}-{next(made)}",
        )
        self._run = Run(parts=self.parts, limit=timedelta(seconds=scenario.run_seconds))

    def execute(self) -> None:
        act = {"a": self._authorize, BY_HAND: self._by_hand, "c": self._client, "x": self._restore, "v": self._revoke}
        act.get(self._kind, self._recover)()

    def _authorize(self) -> None:
        known = fields_of(self.parts.store.read(label=versions.CURRENT))
        if (origin := read_origin(known)) is not None:  # As the command's settings have it.
            self.parts = replace(self.parts, policy=replace(self.parts.policy, claim_store=origin.claim_store))
        lost_claim = find_lost_claim(self.parts, known)
        sent_at = datetime.fromtimestamp(self._ports.now, UTC)
        tokens: Any = self._ports.ask(Authorize())
        stored = NewGrant(tokens=tokens, sent_at=sent_at, lost_claim=lost_claim).store(self.parts, known, dict)
        stored.copy.replace(stored.document, stored.version_id)

    def _by_hand(self) -> None:
        tokens: Any = self._ports.ask(Authorize())
        token, expires_at = tokens.refresh_token.reveal(), max(self._ports.now, EPOCH_SECONDS) + LIFETIME_SECONDS
        text = json.dumps(first_document(tokens.access_token.reveal(), token, expires_at))
        self.parts.store.put("by-hand".ljust(36, "0"), SecretValue(text), label=versions.CURRENT)

    def _client(self) -> None:
        shown = self.parts.store.read(label=versions.CURRENT)
        replace_client(self.parts, None, ClientCredentials(client_id="other", client_secret=None), shown=shown)

    def _restore(self) -> None:
        parts = self.parts
        if not self._version_id:  # Else nothing comes in between: it may read one by one, and meet locked versions.
            found: Any = self._ports.ask(List(TOKENS))
            values, about = {v.version_id: v for v in found}, ("version_id", "created_at", "labels")
            listed = [
                ListedVersion(**{it: getattr(v, it) for it in about}, kind=VersionKind.OTHER, value=v) for v in found
            ]
            store: Any = ListedSecret(values=values, current=found[0], listed=listed)
            parts = replace(parts, store=store)
        past = VersionHistory(parts=parts)
        check_claims(past)
        stored = prepare(past, choose(past, self._version_id), lambda _: self.parts.policy).store(self.parts)
        stored.copy.replace(stored.document, stored.version_id)

    def _recover(self) -> None:
        try:
            unread = UnreadResponse.read(self.parts)
        except ChangeFailed as nothing:
            commands = [part.words for part in nothing.fix if isinstance(part, Command)]
            named = next((words[-1] for words in commands if "--claim" in words), None)
            if named is None:
                raise
            unread = UnreadResponse.read(self.parts, named)
        fields: Any = unread.fields
        new = "/refresh" if fields["refresh"] else None
        stored = unread.store(unread.tokens("/access", "/other" if self._kind == "w" else new, None))
        stored.copy.replace(stored.document, stored.version_id)

    def _revoke(self) -> None:
        copy = PublishedCopyBeforeChange.read(self.parts.published)
        done = revoke_grant(self._run, self._send)
        copy.replace(done.document, done.version_id)

    def _send(self, request: TokenRequest) -> None:
        self._ports.ask(Revoke(request.fields["token"]))


def authorized(
    scenario: Scenario, text: str, refresh_token: str, now: int, *, lost_claim: str | None
) -> dict[str, object]:
    """Return the document that `authorize` stores, for a search in which all of it happens at one moment."""
    parts = CommandRun(scenario, _Nowhere(now), "a").parts
    sent_at = datetime.fromtimestamp(now, UTC)
    grant = NewGrant(tokens=first_response(refresh_token), sent_at=sent_at, lost_claim=lost_claim)
    return dict(grant.document(parts, json.loads(text)).fields)


class _Nowhere(Ports):
    """Ports on which nobody calls."""

    def ask(self, call: Call) -> object:
        raise AssertionError(call)


def _not_now(until: datetime) -> None:
    """Give up, where the command would wait: more would only wait longer."""
    raise ChangeFailed(f"a run is under way until {until}")


def _claims(name: StoreName, secret: SecretStore, ports: Ports) -> ClaimStore:
    return VersionClaims(secret) if name.table is None else _Table(name.table, ports)


def _parts(scenario: Scenario, ports: Ports, kind: str) -> RunDependencies:
    secret, policy = _Secret(TOKENS, ports), scenario.policy(kind)
    claims = _claims(policy.claim_store, secret, ports)
    return RunDependencies(
        secret=SecretName(secret_id=TOKENS, region="eu-central-1"),
        trigger=Trigger(name="cli"),
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
    )


def build_run(scenario: Scenario, ports: Ports, kind: str) -> Run | MoveRun | PauseRun | CommandRun:
    """Put the real run together, on these ports."""
    if kind in PAUSES:
        return PauseRun(scenario, ports, kind)
    if kind in (*COMMANDS, BY_HAND):
        return CommandRun(scenario, ports, kind)
    if kind in MOVES:
        return MoveRun(scenario, ports, kind)
    trigger = Trigger(name="cli", force=kind in "fF", resend=named_claim(scenario) if kind == "n" else None)
    parts = replace(_parts(scenario, ports, kind), trigger=trigger)
    return Run(parts=parts, limit=timedelta(seconds=scenario.run_seconds))


def named_claim(scenario: Scenario) -> str:
    """Return the ID of the search's first claim, which a run of the letter `n` names."""
    claim_id = versions.claim_version_id(None if scenario.claims == "versions" else FIRST_VERSION)
    for _ in range(scenario.before):
        claim_id = versions.claim_version_id(claim_id)
    return claim_id


def settle(run: Run | MoveRun | PauseRun | CommandRun) -> Ended:
    """Execute a run to its end."""
    try:
        outcome = run.execute()
    except TokenRefreshError as error:
        commands = [part.words for part in error.fix if isinstance(part, Command)]
        restored = next((words[-1] for words in commands if "restore" in words and "--version" in words), None)
        until = int(error.retry_at.timestamp()) if isinstance(error, SecretFull) and error.retry_at else None
        return Ended(type(error).__name__, named=True, retry_at=until, restores=restored)
    except Violation:
        raise
    except Exception as error:  # noqa: BLE001 - a defect of the worker is what this program looks for
        return Ended(f"{type(error).__name__}: {error}", named=False)
    if outcome is None:
        return Ended("done", named=True)
    retry_at = None if outcome.retry_at is None else int(outcome.retry_at.timestamp())
    return Ended(str(outcome.name), named=True, retry_at=retry_at)


@contextmanager
def searching(scenario: Scenario) -> Iterator[None]:
    """Set the daily limit of claims to the scenario's, and work out pure functions once, while a search goes on."""
    per_claim = VERSIONS_A_CLAIM[name_of(scenario.claims).kind]
    limit = VERSIONS_A_DAY if scenario.claims_a_day is None else scenario.claims_a_day * per_claim
    most = MOST_REDEMPTIONS if scenario.most_redemptions is None else scenario.most_redemptions
    with ExitStack() as stack:
        stack.enter_context(patch.object(plan, "VERSIONS_A_DAY", limit))
        stack.enter_context(patch.object(attempts, "MOST_REDEMPTIONS", most))
        stack.enter_context(patch.object(change, "TRIES", MOVE_TRIES))
        stack.enter_context(patch.object(version_capacity, "PLACES", scenario.quota))
        if not scenario.fills:  # A list of versions on which nothing depends would only be one step more.
            stack.enter_context(patch.object(redemption, "check_places", lambda *_: None))
        stack.enter_context(patch.object(run, "POLL_SECONDS", (POLL_SECONDS,)))
        for module, name in _PURE:
            stack.enter_context(patch.object(module, name, functools.cache(getattr(module, name))))
        yield


_PURE: Final[tuple[tuple[ModuleType, str], ...]] = (
    (versions, "_derive"),
    (snapshot, "fingerprint_of"),
    (snapshot_reader, "fingerprint_of"),
    (snapshot_reader, "read_document"),
    (snapshot_reader, "read_published"),
    (claims, "read_claim"),
    (past, "read_claim"),
    (past, "read_record"),
    (sys.modules[__name__], "read_claim"),
    (sys.modules[__name__], "read_record"),
)
