"""In-memory stand-ins for the ports of a run; tests/adapters/test_store_contract.py holds the store to the real one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from testbed.builders import DAY, NOW
from testbed.secrets_manager.limits import ServiceError
from testbed.secrets_manager.model import SecretsModel
from token_refresh.errors import SecretAccessDenied
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.claims import (
    Claim,
    KeptTokens,
    Record,
    read_claim,
    read_record,
    unreadable_claim,
    write_claim,
    write_record,
)
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, TokenResponse
from token_refresh_worker.run.ports import NewestClaim, SecretVersion

SECRET_ID = "tokens"
PUBLISHED_ID = "published-tokens"


@dataclass(slots=True)
class FakeClock:
    """A stopwatch that moves when somebody sleeps, and the service's time of day beside it."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)
    oversleep: Callable[[], None] = lambda: None
    """What else happens while somebody sleeps."""

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        self.oversleep()

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
            response = self._call(f"read {label or 'version'}", "GetSecretValue", which)
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                return None
            denied = SecretAccessDenied(f"GetSecretValue of {label or version_id}")
            denied.by_key = True
            raise denied from None
        text = response.get("SecretString")
        return SecretVersion(
            arn=response["ARN"],
            version_id=response["VersionId"],
            labels=frozenset(response["VersionStages"]),
            created_at=datetime.fromtimestamp(response["CreatedDate"], UTC),
            read_at=self.clock.service_now,
            value=None if text is None else SecretValue(text),
        )

    def versions(self) -> tuple[VersionEntry, ...]:
        listed = self._call("list versions", "ListSecretVersionIds", {"IncludeDeprecated": True})["Versions"]
        return tuple(
            VersionEntry(
                version_id=entry["VersionId"],
                labels=frozenset(entry.get("VersionStages", ())),
                created_at=datetime.fromtimestamp(entry["CreatedDate"], UTC),
                keys=tuple(entry["KmsKeyIds"]),
            )
            for entry in listed
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
        response = self.model.call(operation, {"SecretId": self.secret_id} | what, now=now)
        self.after(name)
        return response


@dataclass(slots=True)
class FakeTable:
    """One item of a claim table; `before` and `after` are asked around each call, as in `FakeStore`."""

    clock: FakeClock
    item: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    _read: dict[str, Any] = field(default_factory=dict)

    def newest(self) -> NewestClaim:
        self._call("read claim", lambda: True)
        self._read = dict(self.item)
        claim = read_claim(*(self.item[name] for name in ("claim_id", "claim", "at"))) if self.item else None
        if self.item and claim is None:
            claim = unreadable_claim(self.item["claim_id"], self.item["at"])
        return NewestClaim(claim=claim, read_at=self.clock.service_now, kept_tokens=self.item.get("kept_tokens"))

    def append(self, claim: Claim, *, after: str | None, kept_tokens: KeptTokens | None = None) -> bool:
        def appended() -> bool:
            if self.item.get("claim_id") != after or self.item.get("kept_tokens") != kept_tokens:
                return False
            self.item = {"claim_id": claim.claim_id, "claim": write_claim(claim), "at": claim.claimed_at}
            return True

        return self._call("append claim", appended)

    def find(self, claim_id: str) -> Claim | None:
        del claim_id
        return self.newest().claim

    def store_record(self, claim: Claim, record: Record) -> None:
        def recorded() -> bool:
            if self.item.get("claim_id") == claim.claim_id:
                self.item.setdefault("record", write_record(record))
            return True

        self._call("record", recorded)

    def keep(self, claim: Claim, tokens: SecretValue) -> KeptTokens | None:
        """Keep tokens; the fake is its own `TokenKeeper`."""
        kept = KeptTokens(claim=claim, stored=tokens)

        def done() -> bool:
            if self.item.get("claim_id") != claim.claim_id:
                return False
            self.item["kept_tokens"] = kept
            return True

        return kept if self._call("keep tokens", done) else None

    def open(self, kept: KeptTokens) -> SecretValue:
        self._call("open kept tokens", lambda: True)
        assert isinstance(kept.stored, SecretValue)
        return kept.stored

    def drop(self, kept: KeptTokens) -> None:
        def done() -> bool:
            if self.item.get("kept_tokens") == kept:
                del self.item["kept_tokens"]
            return True

        self._call("drop kept tokens", done)

    def record_of(self, claim_id: str) -> Record | None:
        known = self._read.get("claim_id") == claim_id and "record" in self._read
        return read_record(self._read["record"]) if known else None

    def _call(self, name: str, act: Callable[[], bool]) -> bool:
        self.calls.append(name)
        self.before(name)
        done = act()
        self.after(name)
        return done


@dataclass(slots=True)
class FakeEndpoint:
    """Returns the responses it was given, in order, and then new tokens."""

    responses: list[EndpointResponse | Callable[[], EndpointResponse]] = field(default_factory=list)
    requests: list[TokenRequest] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    signatures: list[FailedRequest | None] = field(default_factory=list)
    """How signing ends, in order; then it succeeds."""
    signed: list[TokenRequest] = field(default_factory=list)

    def sign(self, request: TokenRequest) -> FailedRequest | None:
        self.signed.append(request)
        return self.signatures.pop(0) if self.signatures else None

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        self.requests.append(request)
        self.timeouts.append(timeout_seconds)
        if not self.responses:
            return tokens(len(self.requests))
        response = self.responses.pop(0)
        return response() if callable(response) else response


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

    def error(self, event: str, **fields: object) -> None:
        self.info(event, **fields)


def tokens(number: int = 1, *, refresh_token: str | None = "", lifetime: timedelta | None = DAY) -> TokenResponse:
    """A provider's response: `access-1` and `refresh-1`, or another number's; None for no refresh token."""
    new = None if refresh_token is None else SecretValue(refresh_token or f"refresh-{number}")
    return TokenResponse(access_token=SecretValue(f"access-{number}"), refresh_token=new, lifetime=lifetime)


__all__ = ["PUBLISHED_ID", "SECRET_ID", "FakeClock", "FakeEndpoint", "FakeLog", "FakeStore", "FakeTable", "tokens"]
