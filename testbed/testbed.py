"""Everything that a worker acts on, on loopback: Secrets Manager, a claim table, a provider, and a token secret.

with Testbed(GRACE, table=True) as testbed:
testbed.run()
testbed.pass_until_due()
"""

import json
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from testbed.aws.faults import Call
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider.grant import IssuedTokens, Reuse
from testbed.provider.token_endpoint import ReceivedRequest, TokenEndpoint
from testbed.secrets_manager.limits import DAY_SECONDS, VERSIONS_PER_SECRET
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.secrets_manager.staleness import Staleness
from testbed.secrets_manager.state import StoredSecret
from testbed.worker import SCHEDULED, Ended, LambdaContext, Worker, run_here
from token_refresh_worker.core.versions import OUTCOME, record_version_id, staged_version_id

if TYPE_CHECKING:
    from testbed.kms import Kms

TOKENS: Final = "tokens"
CLIENT: Final = "client"
PUBLISHED: Final = "published"
CLAIM_TABLE: Final = "claims"
KEY: Final = "arn:aws:kms:us-east-1:123456789012:key/1234"
TOKEN_REQUEST: Final = "token request"
RUNS_LIMIT: Final = 8
"""Runs that may be needed until nothing is left to do, whatever was interrupted."""

_HOUR_SECONDS: Final = 3600
_CLAIM_SECONDS: Final = 630
"""How long a claim lives: the process of a test may run for a minute and a half."""
_CLOCK_AHEAD_SECONDS: Final = 40 * DAY_SECONDS
"""How far the services' clocks are ahead of this machine's, which decides nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """A kind of provider, and how the worker is configured for it."""

    name: str
    reuse: Reuse
    replay_grace_seconds: int


PROVIDERS: Final = (
    ProviderKind(name="single use", reuse="revokes", replay_grace_seconds=0),
    ProviderKind(name="grace", reuse="grace", replay_grace_seconds=86_400),
    ProviderKind(name="static", reuse="static", replay_grace_seconds=86_400),
)
SINGLE_USE, GRACE, STATIC = PROVIDERS


class Testbed:
    """One secret and one grant. The clock is that of the services, and can be moved.

    With `full`, the secret holds as many versions as it may, so that each new one removes the oldest.
    """

    __test__ = False  # pytest takes a class with this name for tests

    def __init__(
        self,
        provider: ProviderKind = SINGLE_USE,
        *,
        due: bool = True,
        published: bool = False,
        table: bool = False,
        keeps: bool = False,
        full: bool = False,
        **settings: str,
    ) -> None:
        self.provider = provider
        self.trace: list[str] = []
        """Every external call that was carried out, in order."""
        self.store = SecretsManagerServer(on_call=self._note_call)
        self.table = DynamoDbServer(on_call=self._note_call) if table else None
        """The claim table, where claims are not versions of the secret."""
        self.kms = _kms() if keeps else None
        """The key with which the claim table keeps tokens."""
        self.endpoint = _Endpoint(provider.reuse, self.trace)
        self._cleanup = ExitStack()
        self._full = full
        self.pass_seconds(_CLOCK_AHEAD_SECONDS)
        self._settings = settings | ({"PUBLISHED_SECRET_ID": PUBLISHED} if published else {})
        self._expires_in_seconds = (4 if due else 20) * _HOUR_SECONDS

    def __enter__(self) -> Self:
        """Serve, and store the first token set; a published copy begins empty."""
        self._cleanup.enter_context(self.store)
        self._cleanup.enter_context(self.endpoint)
        if self.kms:
            self._cleanup.enter_context(self.kms)
        if self.table:
            self._cleanup.enter_context(self.table)
        self._store_first()
        return self

    def begin_anew(self) -> None:
        """Forget what was stored, scripted and refused, and store a first token set, at the same addresses."""
        self.clear_faults()
        self.store.authorize, self.store.on_call = None, self._note_call
        self.endpoint.unplay()
        self.endpoint.grant = IssuedTokens(reuse=self.provider.reuse)
        if self.kms:
            self.kms.refuses = False
        self.store.secrets.restore(())
        self._store_first()

    def _store_first(self) -> None:
        if self.table:
            self.table.create_table(CLAIM_TABLE, key="secret_arn")
        self.store.call("CreateSecret", {"Name": TOKENS, "ClientRequestToken": str(uuid.uuid4())})
        if self._full:
            self._fill()
        self.authorize()
        self.store.call(
            "CreateSecret",
            {
                "Name": CLIENT,
                "ClientRequestToken": str(uuid.uuid4()),
                "SecretString": json.dumps(
                    {"clientId": self.endpoint.client_id, "clientSecret": self.endpoint.client_secret}
                ),
            },
        )
        self.store.call("CreateSecret", {"Name": PUBLISHED, "ClientRequestToken": str(uuid.uuid4())})
        self.store.forget_past()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def _fill(self) -> None:
        """Store as many old versions as a secret holds: from now on each new version removes the oldest."""
        self.store.clock_offset_seconds -= 2 * DAY_SECONDS
        for number in range(VERSIONS_PER_SECRET):
            self.save({"note": f"old {number}"})
        self.store.clock_offset_seconds += 2 * DAY_SECONDS

    @property
    def environment(self) -> dict[str, str]:
        """Return what a worker is configured with."""
        return self.store.environment | {
            "TOKEN_SECRET_ID": TOKENS,
            "CLIENT_SECRET_ID": CLIENT,
            "TOKEN_ENDPOINT": self.endpoint.url,
            "REPLAY_GRACE_SECONDS": str(self.provider.replay_grace_seconds),
            **({"CLAIM_TABLE": CLAIM_TABLE} | self.table.environment if self.table else {}),
            **({"KEPT_TOKENS_KEY_ID": KEY} | self.kms.environment if self.kms else {}),
            **self._settings,
        }

    def begin(self, event: object = SCHEDULED, **options: Any) -> Worker:
        """Start a run in a process of its own; for the options, see `Worker`."""
        return Worker(self.environment, event, **options)

    def run(self, event: object = SCHEDULED, **options: Any) -> Ended:
        """Run to the end in a process of its own."""
        with self.begin(event, **options) as worker:
            return worker.wait()

    def run_here(self, event: object = SCHEDULED, context: LambdaContext | None = None) -> Ended:
        """Run to the end in this process."""
        return run_here(self.environment, event, context)

    def run_until_done(self) -> list[Ended]:
        """Run on schedule until tokens are fresh, a refresh is held, or a person has to act."""
        runs: list[Ended] = []
        while len(runs) < RUNS_LIMIT:
            runs.append(self.run())
            if runs[-1].name in {"fresh", "RefreshOutcomeUnknown", "ReauthorizationRequired", "InvalidSecretDocument"}:
                return runs
            if runs[-1].name == "yielded":
                self.pass_claim()
        raise RuntimeError(f"still not done after {[run.name for run in runs]}")

    def pass_seconds(self, seconds: float) -> None:
        """Move the clocks of all services."""
        for service in (self.store, self.table):
            if service:
                service.clock_offset_seconds += max(0.0, seconds)

    def read_stale(self, seed: int = 1) -> None:
        """Let reads of Secrets Manager be stale from now on: as old and as jumpy as the protocol assumes."""
        self.store.staleness = Staleness(writes=8, seconds=300, seed=seed)

    @property
    def claims(self) -> SecretsManagerServer | DynamoDbServer:
        """The service that has the claims."""
        return self.table or self.store

    def clear_faults(self) -> None:
        """Forget all faults; calls that are held are dropped."""
        for service in (self.store, self.table):
            if service:
                service.faults.clear()

    def pass_claim(self) -> None:
        """Let a claim's time to live pass, and the backoff that may follow."""
        self.pass_seconds(_CLAIM_SECONDS + 5)

    def pass_hold(self) -> None:
        """Let time pass until the last quarter of the refresh window, when a held attempt may be repeated."""
        left_seconds = self.document["expiresAt"] / 1000 - self.store.now()
        self.pass_seconds(left_seconds - 1.9 * _HOUR_SECONDS)

    def pass_until_due(self) -> None:
        """Let time pass until the tokens that are current are due."""
        left_seconds = self.document["expiresAt"] / 1000 - self.store.now()
        self.pass_seconds(left_seconds - 7.9 * _HOUR_SECONDS)

    def authorize(self) -> None:
        """Authorize as a person would: new tokens of the provider become current."""
        tokens = self.endpoint.grant.authorize()
        document = {
            "accessToken": tokens["access_token"],
            "refreshToken": tokens["refresh_token"],
            "expiresAt": int((self.store.now() + self._expires_in_seconds) * 1000),
            "note": "kept as it is",
        }
        self.save(document)

    def save(self, document: Mapping[str, Any]) -> None:
        """Store a document as an operator would: a new version, current at once."""
        self.store.call(
            "PutSecretValue",
            {"SecretId": TOKENS, "ClientRequestToken": str(uuid.uuid4()), "SecretString": json.dumps(document)},
        )

    def restore(self, version_id: str) -> None:
        """Store an older version's document again, as a person does whom a run tells to."""
        version = self.secret.version(version_id)
        assert version is not None
        self.save(json.loads(version.value))

    @property
    def secret(self) -> StoredSecret:
        """Return the token secret as it is stored."""
        return self._stored(TOKENS)

    @property
    def document(self) -> dict[str, Any]:
        """Return the token document that is current."""
        return _current(self.secret)

    @property
    def read_by_consumers(self) -> dict[str, Any]:
        """Return what consumers read: the published copy where there is one, else the token document."""
        return _current(self._stored(PUBLISHED)) if "PUBLISHED_SECRET_ID" in self._settings else self.document

    @property
    def up_to_date(self) -> bool:
        """Whether consumers read the token set that is current."""
        return bool(self.read_by_consumers["accessToken"] == self.document["accessToken"])

    @property
    def alive(self) -> bool:
        """Whether the provider would accept the refresh token that is current."""
        return self.endpoint.grant.accepts(self.document["refreshToken"])

    @property
    def newest_stored(self) -> bool:
        """Whether some version holds the refresh token that the provider issued last."""
        newest = [token for token in self.endpoint.grant.secrets if token.startswith("refresh-")][-1]
        return any(newest in str(version.value) for version in self.secret.versions)

    @property
    def access_token_valid(self) -> bool:
        """Whether the access token that consumers read still works: not expired, its grant not revoked."""
        return self.endpoint.grant.alive and self.store.now() < self.read_by_consumers["expiresAt"] / 1000

    @property
    def requests_sent(self) -> int:
        """How many token requests reached the provider, with or without a response."""
        return self.endpoint.connections

    def _note_call(self, when: str, call: Call) -> None:
        if when == "before":
            self.trace.append(self._describe(call))

    def _describe(self, call: Call) -> str:
        if call.secret_id == CLIENT:
            return f"{call.operation} of the client credentials"
        if call.operation in {"GetItem", "UpdateItem", "PutItem"}:
            return f"{call.operation} of the claim table"
        labelled = call.version_stages and call.version_stages[0] != OUTCOME
        what = call.version_stages[0] if labelled else self._role(call.version_id)
        published = call.secret_id == PUBLISHED or (call.arn or "").startswith(self._stored(PUBLISHED).arn)
        return f"{call.operation} {'a copy' if published and not labelled else what}" + (
            " of the published copy" if published and labelled else ""
        )

    def _stored(self, name: str) -> StoredSecret:
        secret = self.store.secrets.find(name)
        assert secret is not None
        return secret

    def _role(self, version_id: str | None) -> str:
        """Name a version by its derived ID."""
        versions = [version.version_id for version in self.secret.versions]
        claims = [version.version_id for version in self.secret.versions if '"nonce"' in str(version.value)]
        if self.table:
            claims += [item["claim_id"]["S"] for item in self.table.tables[CLAIM_TABLE].values()]
        for claim in claims:
            if version_id == record_version_id(claim):
                return "record"
            if version_id in {staged_version_id(claim, base) for base in versions}:
                return "staged tokens"
        return "claim"


def _current(secret: StoredSecret) -> dict[str, Any]:
    version = secret.version(dict(secret.labels)["AWSCURRENT"])
    assert version is not None
    document: dict[str, Any] = json.loads(version.value)
    return document


class _Endpoint(TokenEndpoint):
    """A token endpoint that writes into the same trace as the store."""

    def __init__(self, reuse: Reuse, trace: list[str]) -> None:
        super().__init__(reuse=reuse)
        self._trace = trace

    def record(self, request: ReceivedRequest) -> None:
        """Keep what became of a request."""
        super().record(request)
        self._trace.append(TOKEN_REQUEST)

    def is_held(self, timeout_seconds: float) -> bool:
        """Whether a request has come to the point where its script holds it, or does so in time."""
        try:
            self.wait_until_held(timeout_seconds)
        except TimeoutError:
            return False
        return True


def _kms() -> "Kms":
    # Imported here: the demo runs without `cryptography`.
    from testbed.kms import Kms  # noqa: PLC0415

    return Kms()
