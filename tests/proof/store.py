"""Secrets Manager as one search sees it: the faithful model, with its states and its answers numbered.

What a call does depends on the state, the call and the time alone, so each is carried out once and remembered.
"""

import json
from datetime import UTC, datetime
from typing import Final, NamedTuple

from proof.world import EPOCH_SECONDS, Interned
from testbed.secrets_manager.limits import ServiceError
from testbed.secrets_manager.model import SecretsModel, Snapshot
from token_refresh.ports import SecretVersion
from token_refresh.secret_value import SecretValue

TOKENS: Final = "tokens"
PUBLISHED: Final = "published"
FRESH_NONCE: Final = "fresh"
"""Stands for a nonce that was drawn at random: no two claims with it are equal."""


class Read(NamedTuple):
    """`GetSecretValue`."""

    secret: str
    label: str | None
    version_id: str | None


class Put(NamedTuple):
    """`PutSecretValue`."""

    secret: str
    version_id: str
    text: str
    label: str


class Move(NamedTuple):
    """`UpdateSecretVersionStage`."""

    secret: str
    label: str
    to: str | None
    remove_from: str | None


StoreCall = Read | Put | Move
StoreReply = SecretVersion | bool | None


class Store:
    """Every state that the secrets came into, and what each call did to it."""

    def __init__(self, *, date_behind_seconds: float = 0.0) -> None:
        self._date_behind_seconds = date_behind_seconds
        self.states: Interned[Snapshot] = Interned()
        self._model = SecretsModel()
        self._done: dict[tuple[int, StoreCall, int], tuple[int, StoreReply]] = {}

    def create(self, documents: dict[str, tuple[str, str] | None]) -> int:
        """Create secrets, each with a first version (ID and text), and give the state's number."""
        self._model = SecretsModel()
        for name, version in documents.items():
            value = {} if version is None else {"ClientRequestToken": version[0], "SecretString": version[1]}
            request = {"Name": name, "ClientRequestToken": name.ljust(32, "-"), **value}
            self._model.call("CreateSecret", request, now=EPOCH_SECONDS - 3600)
        return self.states.number(self._model.snapshot())

    def call(self, state: int, call: StoreCall, now: int, *, repeated: bool = False) -> tuple[int, StoreReply]:
        """Carry a call out, and give the state after it and the port's reply.

        Args:
            state: The state before it.
            call: What is called.
            now: The service's time.
            repeated: Whether the very call was carried out before and its reply lost.
        """
        if not repeated and isinstance(call, Put) and f'"nonce":"{FRESH_NONCE}"' in call.text:
            secret = self.secret(state, call.secret)
            if call.version_id in secret:
                return state, False
        key = (state, call, now)
        done = self._done.get(key)
        if done is None:
            done = self._done[key] = self._carry_out(state, call, now)
        return done

    def secret(self, state: int, name: str) -> dict[str, str]:
        """Give the text of each version of a secret, oldest first."""
        return {v.version_id: str(v.value) for s in self.states[state] if s.name == name for v in s.versions}

    def labels(self, state: int, name: str) -> dict[str, str]:
        """Give the version ID that each label is on."""
        return next((dict(s.labels) for s in self.states[state] if s.name == name), {})

    def _carry_out(self, state: int, call: StoreCall, now: int) -> tuple[int, StoreReply]:
        self._model.restore(self.states[state])
        reply: StoreReply
        match call:
            case Read():
                reply = self._read(call, now)
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
        return self.states.number(self._model.snapshot()), reply

    def _read(self, call: Read, now: int) -> SecretVersion | None:
        which = {"VersionStage": call.label} if call.version_id is None else {"VersionId": call.version_id}
        try:
            answer = self._model.call("GetSecretValue", {"SecretId": call.secret, **which}, now=now)
        except ServiceError as refusal:
            if refusal.code == "ResourceNotFoundException":
                return None
            raise
        return SecretVersion(
            version_id=answer["VersionId"],
            labels=frozenset(answer["VersionStages"]),
            created_at=datetime.fromtimestamp(answer["CreatedDate"] + self._date_behind_seconds, UTC),
            read_at=datetime.fromtimestamp(now, UTC),
            value=SecretValue(answer["SecretString"]),
        )

    def _accepted(self, operation: str, request: dict[str, object], now: int) -> bool:
        """Whether the service did it: the two refusals that the adapter gives as False are False here."""
        try:
            self._model.call(operation, request, now=now)
        except ServiceError as refusal:
            if refusal.code not in {"ResourceExistsException", "InvalidParameterException"}:
                raise
            return False
        return True


def refresh_token_of(text: str) -> str | None:
    """Give the refresh token of a stored token document; None where the version is none."""
    token = json.loads(text).get("refreshToken")
    return token if isinstance(token, str) else None
