"""Secrets Manager and the claim table as one search sees them: faithful models, with their states numbered.

What a call does depends on the state, the call and the time alone, so each is carried out once and remembered.
"""

import functools
import json
from datetime import UTC, datetime
from typing import Final, NamedTuple

from proof.world import CLAIMS_TABLE, DAY_SECONDS, Interned
from testbed.aws.errors import ServiceError
from testbed.secrets_manager.model import SecretsModel, Snapshot
from token_refresh.errors import SecretAccessDenied, SecretNotFound, SecretStoreError, SecretStoreUnavailable
from token_refresh.secret_value import SecretValue
from token_refresh.stored.spelling import CAMEL, SNAKE
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.versions import CLAIM, unheld_claim_id
from token_refresh_worker.run.ports import SecretVersion

TOKENS: Final = "tokens"
SPELLINGS: Final = dict(zip(CAMEL.keys, SNAKE.keys, strict=True))
PUBLISHED: Final = "published"
FRESH_NONCE: Final = "fresh"
"""Stands for a nonce that was drawn at random: no two claims with it are equal."""
FULL: Final = SecretStoreUnavailable("the secret is full")
MISSING: Final = SecretNotFound("no such version")
KEY_GONE: Final = SecretAccessDenied("the key is gone")
LOCKED: Final = SecretAccessDenied("KMS refuses the key of this version")
LOCKED.by_key = True
_UNHELD: Final = unheld_claim_id(FRESH_NONCE)


class Item(NamedTuple):
    """A secret's item in the claim table."""

    claim_id: str
    number: int
    text: str
    claimed_at: float
    record: str | None = None
    kept_tokens: str | None = None
    """Received tokens, of which the table has only ciphertext."""


class Table(NamedTuple):
    """The claim table, as far as it is about one secret."""

    item: Item | None = None
    losses: int = 0
    """How often it was lost or restored: what is random stays different after that."""
    key_gone: bool = False
    """Whether nobody can encrypt or decrypt kept tokens any more."""


class State(NamedTuple):
    """What is stored."""

    secrets: Snapshot
    tables: tuple[tuple[str, Table], ...] = ()
    """Each table by its name; one that is not there is empty."""

    def table(self, name: str) -> Table:
        """Return a table."""
        return dict(self.tables).get(name, Table())

    def with_table(self, name: str, table: Table) -> "State":
        """Return the state with another table in place of one."""
        return self._replace(tables=tuple(sorted({**dict(self.tables), name: table}.items())))


class Read(NamedTuple):
    """`GetSecretValue`."""

    secret: str
    label: str | None
    version_id: str | None


class ListIds(NamedTuple):
    """`ListSecretVersionIds`."""

    secret: str


class List(NamedTuple):
    """`ListSecretVersionIds`, and `GetSecretValue` of each version; all at one moment."""

    secret: str


class Put(NamedTuple):
    """`PutSecretValue`."""

    secret: str
    version_id: str
    text: str
    label: str

    @property
    def is_claim(self) -> bool:
        """Whether it appends a claim."""
        return self.label == CLAIM


class Move(NamedTuple):
    """`UpdateSecretVersionStage`."""

    secret: str
    label: str
    to: str | None
    remove_from: str | None


class ReadTable(NamedTuple):
    """`GetItem`."""

    table: str = CLAIMS_TABLE


class Append(NamedTuple):
    """`UpdateItem` that replaces the claim `after`."""

    item: Item
    after: str | None
    table: str = CLAIMS_TABLE
    kept_tokens: str | None = None
    """What its run read there: it is removed."""

    @property
    def is_claim(self) -> bool:
        """Whether it appends a claim under which its run redeems."""
        return self.item.claim_id != _UNHELD


class Record(NamedTuple):
    """`UpdateItem` that adds a record to a claim."""

    claim_id: str
    text: str
    table: str = CLAIMS_TABLE


class Keep(NamedTuple):
    """`Encrypt`, and `UpdateItem` that adds received tokens to their claim."""

    claim_id: str
    text: str
    table: str = CLAIMS_TABLE


class Open(NamedTuple):
    """`Decrypt`."""

    text: str
    table: str = CLAIMS_TABLE


class Drop(NamedTuple):
    """`UpdateItem` that removes kept tokens."""

    text: str
    table: str = CLAIMS_TABLE


class LoseKey(NamedTuple):
    """The key of kept tokens is deleted."""

    table: str = CLAIMS_TABLE


class ChangeKey(NamedTuple):
    """The secret gets another KMS key, and KMS refuses the one before."""


class EnableKeys(NamedTuple):
    """Every key can be used again."""


class SetTable(NamedTuple):
    """A table is lost or restored."""

    item: Item | None
    table: str = CLAIMS_TABLE


class Fill(NamedTuple):
    """Something else stores versions until so many places are left."""

    free: int


class FillLabels(NamedTuple):
    """Something else stores a version with so many labels."""

    version_id: str
    labels: tuple[str, ...]


class Remove(NamedTuple):
    """A version without labels is removed."""

    version_id: str


TableWrite = Append | Record | Keep | Drop
StoreCall = Read | List | ListIds | Put | Move | ReadTable | Open | TableWrite
AnyCall = StoreCall | SetTable | LoseKey | ChangeKey | EnableKeys | Fill | FillLabels | Remove
StoreReply = (
    SecretVersion | tuple[SecretVersion, ...] | tuple[VersionEntry, ...] | Item | str | bool | None | SecretStoreError
)


class Store:
    """Every state that secrets and table came into, and what each call did to it."""

    def __init__(self, *, behind_seconds: float = 0.0, quota: int = 100) -> None:
        self._behind_seconds = behind_seconds
        self._quota = quota
        self.states: Interned[State] = Interned()
        self._model = SecretsModel(quota=quota)
        self._done: dict[tuple[int, type[AnyCall], AnyCall, int], tuple[int, StoreReply]] = {}
        self._texts: dict[int, dict[str, str]] = {}
        self._labels: dict[tuple[int, str], dict[str, str]] = {}

    def create(self, documents: dict[str, tuple[str, str] | None], *, at: int) -> int:
        """Create secrets, each with a first version (ID and text), and give the state's number."""
        for name, version in documents.items():
            value = {} if version is None else {"ClientRequestToken": version[0], "SecretString": version[1]}
            request = {"Name": name, "ClientRequestToken": name.ljust(32, "-"), **value}
            self._model.call("CreateSecret", request, now=at)
        return self.states.number(State(self._model.snapshot()))

    def call(self, state: int, call: AnyCall, now: int, *, repeated: bool = False) -> tuple[int, StoreReply]:
        """Carry a call out, and give the state after it and the port's reply.

        Args:
            state: The state before it.
            call: What is called.
            now: The services' time.
            repeated: Whether the very call was carried out before and its response lost.
        """
        if isinstance(call, Append):
            return self._append(state, call, repeated=repeated)
        if not repeated and isinstance(call, Put) and f'"nonce":"{FRESH_NONCE}"' in call.text:
            secret = self.texts(state)
            if call.version_id in secret:
                return state, False
        # With its type: tuples of two types that hold the same are equal.
        key = (state, type(call), call, now)
        done = self._done.get(key)
        if done is None:
            done = self._done[key] = self._carry_out(state, call, now)
        return done

    def texts(self, state: int) -> dict[str, str]:
        """Return the text of each version of the token secret, oldest first."""
        known = self._texts.get(state)
        if known is None:
            known = self._texts[state] = self._texts_of(state, TOKENS)
        return known

    def published_texts(self, state: int) -> dict[str, str]:
        """Return the text of each version of the published secret, oldest first."""
        return self._texts_of(state, PUBLISHED)

    def _texts_of(self, state: int, name: str) -> dict[str, str]:
        versions = (v for s in self.states[state].secrets if s.name == name for v in s.versions)
        return {v.version_id: in_one_spelling(str(v.value)) for v in versions}

    def labels(self, state: int, name: str) -> dict[str, str]:
        """Return the version ID that each label is on."""
        known = self._labels.get((state, name))
        if known is None:
            found = next((dict(s.labels) for s in self.states[state].secrets if s.name == name), {})
            known = self._labels[state, name] = found
        return known

    def locked(self, state: int) -> frozenset[str]:
        """Return the versions of the token secret that nobody can decrypt."""
        secret = next(s for s in self.states[state].secrets if s.name == TOKENS)
        return frozenset(v.version_id for v in secret.versions if v.key in dict(secret.refused))

    def created(self, state: int, name: str, version_id: str) -> float:
        """Return when a version was stored."""
        secret = next(s for s in self.states[state].secrets if s.name == name)
        return next(v.created_at for v in secret.versions if v.version_id == version_id)

    def places(self, state: int, now: int) -> int:
        """Return how many more versions the token secret takes."""
        secret = next(s for s in self.states[state].secrets if s.name == TOKENS)
        labelled = {version_id for _, version_id in secret.labels}
        young = (v for v in secret.versions if v.created_at > now - DAY_SECONDS or v.version_id in labelled)
        return self._quota - len(list(young))

    def table(self, state: int, name: str = CLAIMS_TABLE) -> Table:
        """Return a claim table."""
        return self.states[state].table(name)

    def moved_to(self, state: int, table: str | None) -> tuple[dict[str, object], int]:
        """Return the store to which a store's newest claim moved the claims, if it did, and that claim's number."""
        claim = self.labels(state, TOKENS).get(CLAIM) if table is None else None
        item = self.table(state, table).item if table else None
        text = self.texts(state)[claim] if claim else item.text if item else "{}"
        fields = json.loads(text) if text.startswith("{") else {}
        return fields.get("moved_to", {}), fields.get("number", 0)

    def _append(self, state: int, call: Append, *, repeated: bool) -> tuple[int, bool]:
        before = self.states[state]
        table, item = before.table(call.table), call.item
        if item.claim_id == _UNHELD:
            item = item._replace(claim_id=f"unheld-{table.losses}-{item.number}".ljust(36, "-"))
        present = table.item.claim_id if table.item else None
        ended = table.item and (table.item.record or table.item.kept_tokens)
        if repeated and table.item and present == item.claim_id and not ended:
            return state, True
        if present != call.after or (table.item.kept_tokens if table.item else None) != call.kept_tokens:
            return state, False
        return self.states.number(before.with_table(call.table, table._replace(item=item))), True

    def _carry_out(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one a kind of call
        self, state: int, call: AnyCall, now: int
    ) -> tuple[int, StoreReply]:
        before = self.states[state]
        self._model.restore(before.secrets)
        reply: StoreReply
        state_after = before
        match call:
            case Read():
                return state, self._read(call, now)
            case ListIds(name):
                return state, self._listed(name, now)
            case ChangeKey():
                secret = next(s for s in before.secrets if s.name == TOKENS)
                self._model.call("UpdateSecret", {"SecretId": TOKENS, "KmsKeyId": f"{secret.key}+"}, now=now)
                self._model.refuse(TOKENS, secret.key)
                reply = True
            case EnableKeys():
                for secret in before.secrets:
                    for key, _ in secret.refused:
                        self._model.refuse(secret.name, key, None)
                for name, table in before.tables:
                    state_after = state_after.with_table(name, table._replace(key_gone=False))
                reply = True
            case List(name):
                versions = next(s.versions for s in before.secrets if s.name == name)
                read = (self._read(Read(name, None, version.version_id), now) for version in versions)
                return state, tuple(version for version in read if isinstance(version, SecretVersion))
            case ReadTable(name):
                return state, before.table(name).item
            case Put(secret, version_id, text, label):
                labels = {"VersionStages": [label]} if label else {}
                reply = self._accepted(
                    "PutSecretValue",
                    {"SecretId": secret, "ClientRequestToken": version_id, "SecretString": text, **labels},
                    now,
                )
            case Move(secret, label, to, remove_from):
                moved = {"MoveToVersionId": to, "RemoveFromVersionId": remove_from}
                given = {name: value for name, value in moved.items() if value is not None}
                reply = self._accepted(
                    "UpdateSecretVersionStage", {"SecretId": secret, "VersionStage": label, **given}, now
                )
            case Record(claim_id, text, name):
                item = before.table(name).item
                if item is not None and item.claim_id == claim_id and item.record is None:
                    recorded = before.table(name)._replace(item=item._replace(record=text))
                    state_after = before.with_table(name, recorded)
                reply = True
            case Keep() | Open() if before.table(call.table).key_gone:
                return state, KEY_GONE
            case Keep(claim_id, text, name):
                item = before.table(name).item
                reply = item is not None and item.claim_id == claim_id and item.kept_tokens in {None, text}
                if item is not None and reply:
                    keeping = before.table(name)._replace(item=item._replace(kept_tokens=text))
                    state_after = before.with_table(name, keeping)
            case Open(text):
                return state, text
            case LoseKey(name):
                state_after, reply = before.with_table(name, before.table(name)._replace(key_gone=True)), True
            case Drop(text, name):
                item = before.table(name).item
                if item is not None and item.kept_tokens == text:
                    dropped = before.table(name)._replace(item=item._replace(kept_tokens=None))
                    state_after = before.with_table(name, dropped)
                reply = True
            case SetTable(item, name):
                lost = before.table(name)._replace(item=item, losses=before.table(name).losses + 1)
                state_after, reply = before.with_table(name, lost), True
            case Fill(free):
                for number in range(self.places(state, now) - free):
                    what = {"ClientRequestToken": f"fill-{number}-".ljust(36, "0"), "SecretString": "a note"}
                    self._model.call("PutSecretValue", {"SecretId": TOKENS, "VersionStages": ["NOTE"], **what}, now=now)
                reply = True
            case FillLabels(version_id, marks):
                noted = {"ClientRequestToken": version_id, "SecretString": "a note"}
                self._model.call("PutSecretValue", {"SecretId": TOKENS, "VersionStages": marks, **noted}, now=now)
                reply = True
            case Remove(version_id):
                self._model.drop(TOKENS, version_id)
                reply = True
            case Append():
                raise AssertionError(call)
        return self.states.number(state_after._replace(secrets=self._model.snapshot())), reply

    def _listed(self, name: str, now: int) -> tuple[VersionEntry, ...]:
        response = self._model.call("ListSecretVersionIds", {"SecretId": name, "IncludeDeprecated": True}, now=now)
        return tuple(
            VersionEntry(
                version_id=listed["VersionId"],
                labels=frozenset(listed.get("VersionStages", ())),
                created_at=datetime.fromtimestamp(listed["CreatedDate"] + self._behind_seconds, UTC),
            )
            for listed in response["Versions"]
        )

    def _read(self, call: Read, now: int) -> SecretVersion | SecretStoreError | None:
        which = {"VersionStage": call.label} if call.version_id is None else {"VersionId": call.version_id}
        try:
            response = self._model.call("GetSecretValue", {"SecretId": call.secret, **which}, now=now)
        except ServiceError as refusal:
            if refusal.code == "ResourceNotFoundException":
                return None
            if refusal.code == "AccessDeniedException":
                return LOCKED
            raise
        return SecretVersion(
            arn=response["ARN"],
            version_id=response["VersionId"],
            labels=frozenset(response["VersionStages"]),
            created_at=datetime.fromtimestamp(response["CreatedDate"] + self._behind_seconds, UTC),
            read_at=datetime.fromtimestamp(now, UTC),
            value=SecretValue(response["SecretString"]),
        )

    def _accepted(self, operation: str, request: dict[str, object], now: int) -> bool | SecretStoreError:
        """Whether the service did it: the two refusals that the adapter gives as False are False here."""
        try:
            self._model.call(operation, request, now=now)
        except ServiceError as refusal:
            if refusal.code == "LimitExceededException":
                return FULL
            if refusal.code == "ResourceNotFoundException":
                return MISSING
            if refusal.code not in {"ResourceExistsException", "InvalidParameterException"}:
                raise
            return False
        return True


@functools.cache
def in_one_spelling(text: str) -> str:
    """Return a token document in the spelling that the invariants read."""
    for key, other in SPELLINGS.items():
        text = text.replace(f'"{other}":', f'"{key}":')
    return text


@functools.cache
def refresh_token_of(text: str) -> str | None:
    """Return the refresh token of a stored token document; None where the version is none."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    token = document.get("refreshToken") if isinstance(document, dict) else None
    return token if isinstance(token, str) else None


@functools.cache
def origin_of(text: str) -> dict[str, object]:
    """Return the key `tokenRefresh` of a stored token document."""
    found = json.loads(text).get("tokenRefresh", {})
    return found if isinstance(found, dict) else {}
