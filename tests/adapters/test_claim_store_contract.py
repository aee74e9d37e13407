"""One contract for the port `ClaimStore`: both real stores over HTTP, and the fakes of the tests, must keep it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.config import Config

from testbed.builders import NOW, claim
from testbed.dynamodb.server import DynamoDbServer
from testbed.fakes import SECRET_ID, FakeClock, FakeStore, FakeTable
from testbed.secrets_manager.model import SecretsModel
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import InvalidSecretDocument
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim, Record, unreadable_claim
from token_refresh_worker.core.versions import claim_version_id
from token_refresh_worker.run.ports import ClaimStore, Deadline

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tokens-AbCdEf"
C1 = claim_version_id(None)
C2 = claim_version_id(C1)
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1, "mode": "standard"})
RECORD = Record(fate=Fate.REJECTED, error="invalid_grant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    store: ClaimStore
    lose_response: Callable[[], object]
    """Lose the response to the next write."""


def a_claim(claim_id: str = C1, *, nonce: str = "nonce") -> Claim:
    return replace(claim(claim_id, claimed_at=NOW, time_to_live=timedelta(minutes=2)), nonce=nonce)


@dataclass(slots=True)
class TableServer:
    server: DynamoDbServer
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def item(self) -> dict[str, Any]:
        return self.server.tables["claims"][ARN]

    def store(self, table: str = "claims") -> TableClaims:
        client = self.server.client(config=ONE_ATTEMPT)
        return TableClaims(client, table, lambda: ARN, Deadline(clock=self.clock, at=60.0))


@pytest.fixture
def table() -> Iterator[TableServer]:
    with DynamoDbServer() as server:
        server.create_table("claims", key="secret_arn")
        yield TableServer(server)


@pytest.fixture(params=["fake versions", "fake table", "versions", "table"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    clock = FakeClock()
    if request.param == "fake versions":
        model = SecretsModel()
        model.call("CreateSecret", {"Name": SECRET_ID, "ClientRequestToken": "0" * 32}, now=NOW.timestamp())
        store = VersionClaims(FakeStore(model=model, clock=clock))
        yield Subject(store=store, lose_response=lambda: None)
    elif request.param == "fake table":
        yield Subject(store=FakeTable(clock=clock), lose_response=lambda: None)
    elif request.param == "versions":
        with SecretsManagerServer() as server:
            server.client().create_secret(Name=SECRET_ID)
            secret = SecretsManagerSecret(server.client(config=ONE_ATTEMPT), SECRET_ID, Deadline(clock=clock, at=60.0))
            yield Subject(
                store=VersionClaims(secret), lose_response=lambda: server.fault("drop_after", "PutSecretValue")
            )
    else:
        table: TableServer = request.getfixturevalue("table")
        yield Subject(store=table.store(), lose_response=lambda: table.server.fault("drop_after", "UpdateItem"))


def test_a_claim_is_found_as_it_was_appended(subject: Subject) -> None:
    """The newest claim is the one that was appended last; only its time may be the service's own."""
    assert None is subject.store.newest().claim
    assert subject.store.append(a_claim(), after=None)

    newest, found = subject.store.newest(), subject.store.find(C1)

    assert newest.claim is not None
    assert isinstance(found, Claim)
    assert a_claim() == replace(newest.claim, claimed_at=NOW)
    assert newest.claim == found
    assert newest.read_at is not None


def test_only_one_claim_follows_another(subject: Subject) -> None:
    """A second claim after the same one is refused, and changes nothing."""
    assert subject.store.append(a_claim(), after=None)
    assert not subject.store.append(a_claim(nonce="another"), after=None)
    assert subject.store.append(a_claim(C2), after=C1)
    assert not subject.store.append(a_claim(C2, nonce="another"), after=C1)

    newest = subject.store.newest().claim
    assert newest is not None
    assert (C2, "nonce") == (newest.claim_id, newest.nonce)


def test_a_repeat_after_a_lost_response_finds_its_own_write(subject: Subject) -> None:
    """The nonce tells an own write from that of another run."""
    subject.lose_response()
    assert subject.store.append(a_claim(), after=None)
    subject.lose_response()
    assert subject.store.append(a_claim(C2), after=C1)


def test_the_first_record_stays(subject: Subject) -> None:
    """How an attempt ended is recorded once, also if the response to that was lost."""
    subject.store.append(a_claim(), after=None)
    subject.lose_response()
    subject.store.store_record(a_claim(), RECORD)
    subject.store.store_record(a_claim(), Record(fate=Fate.UNKNOWN))

    subject.store.newest()
    assert RECORD == subject.store.record_of(C1)
    assert None is subject.store.record_of(C2)


def test_a_new_claim_has_no_record(subject: Subject) -> None:
    """The record of the claim before it is not its own, and a late record of that one changes nothing."""
    subject.store.append(a_claim(), after=None)
    subject.store.store_record(a_claim(), RECORD)
    subject.store.append(a_claim(C2), after=C1)
    subject.store.store_record(a_claim(), RECORD)

    subject.store.newest()
    assert None is subject.store.record_of(C2)


@pytest.mark.parametrize(
    "changes",
    [
        {"claimed_at": {"N": "1e18"}},
        {"claimed_at": {"S": "now"}},
        *({"claimed_at": {"N": number}} for number in ("1e400", "nan", "", "0", "253402300800000")),
        {"claim_id": {"N": "1"}},
        {"claim": {"S": "{}"}, "kept_tokens": {"L": []}},
    ],
)
def test_an_unreadable_item_is_named(table: TableServer, changes: dict[str, Any]) -> None:
    """The message names table, region and secret, and how to remove the item."""
    store = table.store()
    store.append(a_claim(), after=None)
    table.server.tables["claims"][ARN] = table.item | changes

    with pytest.raises(InvalidSecretDocument, match=r"is unreadable.*: wait an hour, .*aws dynamodb delete-item "):
        store.newest()


@pytest.mark.parametrize("spoilt", [{"S": "{}"}, {"N": "1"}])
def test_something_unreadable_in_a_table_counts_as_a_claim(table: TableServer, spoilt: dict[str, str]) -> None:
    """As in a version: a claim of an hour, from when it was stored, and the next one can follow it."""
    store, written = table.store(), a_claim()
    store.append(written, after=None)
    table.server.tables["claims"][ARN] = table.item | {"claim": spoilt}

    found = store.newest().claim

    assert unreadable_claim(written.claim_id, written.claimed_at) == found
    assert store.append(a_claim(C2), after=written.claim_id)


def test_other_attributes_of_the_item_stay(table: TableServer) -> None:
    """A fleet's index may keep its own attributes in the same item."""
    table.server.tables["claims"][ARN] = {"secret_arn": {"S": ARN}, "state": {"S": "healthy"}}

    assert table.store().append(a_claim(), after=None)
    assert {"S": "healthy"} == table.item["state"]
