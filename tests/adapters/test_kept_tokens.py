"""Received tokens in the claim table's item: what is stored there, and what someone who writes to it can do."""

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.builders import NOW, claim
from testbed.dynamodb.server import DynamoDbServer
from testbed.fakes import FakeClock
from testbed.kms import Kms
from token_refresh.errors import DeadlineExceeded, InvalidSecretDocument, SecretAccessDenied, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.calls import OVERRUN_SECONDS
from token_refresh_worker.adapters.kept_tokens import PIECE_BYTES, TableKeeper
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.bootstrap import aws_client
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim, KeptTokens, Record
from token_refresh_worker.core.versions import claim_version_id
from token_refresh_worker.run.ports import Deadline
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tokens-AbCdEf"
OTHER_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:other-AbCdEf"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"
C1 = claim_version_id(None)
C2 = claim_version_id(C1)
LARGEST = SecretValue(json.dumps({"refreshToken": "canary" * 6}).ljust(SIZE_LIMIT_BYTES))
ITEM_LIMIT_BYTES = 100_000
LEDGER_BYTES = 30_000


class Ground:
    """A claim table and KMS."""

    def __init__(self, table: DynamoDbServer, kms: Kms) -> None:
        self.table, self.kms = table, kms
        table.create_table("claims", key="secret_arn")
        for asked in (kms.keys, kms.actions, kms.contexts):
            asked.clear()
        kms.refuses = False

    def claims(self, arn: str = ARN) -> TableClaims:
        return TableClaims(aws_client("dynamodb"), "claims", lambda: arn, self.deadline)

    def keeper(self, arn: str = ARN) -> TableKeeper:
        return TableKeeper(self.claims(arn), KEY, aws_client, self.deadline)

    @property
    def deadline(self) -> Deadline:
        return Deadline(clock=FakeClock(), at=60.0)

    def item(self, arn: str = ARN) -> dict[str, Any]:
        return self.table.tables["claims"][arn]

    def kept(self, arn: str = ARN) -> KeptTokens:
        found = self.claims(arn).newest().kept_tokens
        assert found is not None
        return found


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[DynamoDbServer, Kms]]:
    with DynamoDbServer() as table, Kms() as kms:
        yield table, kms


@pytest.fixture
def ground(services: tuple[DynamoDbServer, Kms], monkeypatch: pytest.MonkeyPatch) -> Ground:
    table, kms = services
    for name, value in (table.environment | kms.environment).items():
        monkeypatch.setenv(name, value)
    return Ground(table, kms)


def a_claim(claim_id: str = C1, **how: Any) -> Claim:
    return claim(claim_id, claimed_at=NOW, **how)


def keep(ground: Ground, tokens: SecretValue = LARGEST, arn: str = ARN) -> KeptTokens:
    assert ground.claims(arn).append(a_claim(), after=None)
    kept = ground.keeper(arn).keep(a_claim(), tokens)
    assert kept is not None
    return kept


@pytest.mark.parametrize("action", ["Encrypt", "Decrypt"])
def test_a_slow_key_does_not_outlast_the_run(ground: Ground, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    """No call of KMS begins after the deadline, so the last one ends within its own time limits."""
    kept = keep(ground)
    clock, act = FakeClock(), ground.kms.act

    def slow(asked_for: str, asked: dict[str, Any]) -> dict[str, Any]:
        clock.seconds += OVERRUN_SECONDS
        return act(asked_for, asked)

    monkeypatch.setattr(ground.kms, "act", slow)
    deadline = Deadline(clock=clock, at=20.0)
    keeper = TableKeeper(ground.claims(), KEY, aws_client, deadline)

    with pytest.raises(DeadlineExceeded, match=f"no time was left for kms:{action} on key {KEY}"):
        keeper.open(kept) if action == "Decrypt" else keeper.keep(a_claim(), LARGEST)

    assert 24.0 == clock.seconds


@pytest.mark.parametrize("size", [1, PIECE_BYTES, PIECE_BYTES + 1, SIZE_LIMIT_BYTES])
def test_a_document_comes_back_as_it_was(ground: Ground, size: int) -> None:
    """Whatever its size, in as many pieces as KMS needs calls."""
    tokens = SecretValue(os.urandom(size).hex()[:size])
    keep(ground, tokens)

    assert tokens == ground.keeper().open(ground.kept())
    pieces = -(-size // PIECE_BYTES)
    assert [*["Encrypt"] * pieces, *["Decrypt"] * pieces] == ground.kms.actions
    assert {KEY} == {*ground.kms.keys}


def test_the_item_stays_small(ground: Ground) -> None:
    """The largest document, with its claim, takes a quarter of what DynamoDB allows an item."""
    keep(ground)

    assert SIZE_LIMIT_BYTES < sum(map(len, ciphertext(ground))) < ITEM_LIMIT_BYTES - LEDGER_BYTES


def test_keeping_again_after_a_lost_response(ground: Ground) -> None:
    """A run whose first try was stored, and does not know it, finds its own ciphertext."""
    assert ground.claims().append(a_claim(), after=None)
    keeper = ground.keeper()

    assert keeper.keep(a_claim(), LARGEST) is not None
    assert keeper.keep(a_claim(), LARGEST) == ground.kept()
    assert 16 == len(ground.kms.actions)


def pieces_of(ground: Ground, arn: str = ARN) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ground.item(arn)["kept_tokens"]["L"]
    return found


def ciphertext(ground: Ground) -> list[bytes]:
    return [base64.b64decode(piece["B"]) for piece in pieces_of(ground)]


def test_who_reads_the_table_finds_ciphertext_alone(ground: Ground) -> None:
    """No piece of the document is in the item, and none in what KMS logs of it: secret, claim and place."""
    keep(ground)

    assert "canary" in LARGEST.reveal()
    assert "canary" not in json.dumps(ground.item()) + repr(ciphertext(ground))
    assert {"secret": ARN, "claim": C1, "piece": "1/16"} == ground.kms.contexts[0]
    assert [f"{place}/16" for place in range(1, 17)] == [context["piece"] for context in ground.kms.contexts]


@pytest.mark.parametrize("attack", ["exchange two pieces", "repeat a piece", "leave the last out", "change a byte"])
def test_who_writes_to_the_table_changes_no_tokens(ground: Ground, attack: str) -> None:
    """Each piece is bound to its place and to the number of pieces."""
    keep(ground)
    pieces = pieces_of(ground)
    match attack:
        case "exchange two pieces":
            pieces[0], pieces[1] = pieces[1], pieces[0]
        case "repeat a piece":
            pieces[1] = pieces[0]
        case "leave the last out":
            pieces.pop()
        case _:
            first = ciphertext(ground)[0]
            pieces[0] = {"B": base64.b64encode(first[:-1] + bytes([first[-1] ^ 1])).decode()}

    with pytest.raises(TokenRefreshError, match="kms:Decrypt on key"):
        ground.keeper().open(ground.kept())


def test_kept_tokens_open_for_their_own_secret_alone(ground: Ground) -> None:
    """Copied to the item of another secret, they would be a stranger's tokens there."""
    keep(ground)
    assert ground.claims(OTHER_ARN).append(a_claim(), after=None)
    ground.item(OTHER_ARN)["kept_tokens"] = ground.item()["kept_tokens"]

    with pytest.raises(TokenRefreshError, match="kms:Decrypt on key"):
        ground.keeper(OTHER_ARN).open(ground.kept(OTHER_ARN))


def test_kept_tokens_open_for_their_own_claim_alone(ground: Ground) -> None:
    """Put back beside a later claim, they would be tokens that were used long ago."""
    kept = keep(ground)
    assert ground.claims().append(a_claim(C2), after=C1, kept_tokens=kept)
    ground.item()["kept_tokens"] = kept.stored

    with pytest.raises(TokenRefreshError, match="kms:Decrypt on key"):
        ground.keeper().open(ground.kept())


@pytest.mark.parametrize("stored", [{"S": "text"}, {"L": []}, {"L": "x"}, {"L": [{"S": "text"}]}, {"NULL": True}])
def test_what_no_run_kept_is_named(ground: Ground, stored: dict[str, Any]) -> None:
    """Something else in its place is an error of the tree, and never an empty document."""
    keep(ground)
    ground.item()["kept_tokens"] = stored

    with pytest.raises(TokenRefreshError):
        ground.keeper().open(ground.kept())


def test_tokens_that_are_no_text_are_named(ground: Ground) -> None:
    """KMS may decrypt what another program encrypted under the same context."""
    keep(ground, SecretValue("x"))
    asked = {"KeyId": KEY, "Plaintext": "/w==", "EncryptionContext": {"secret": ARN, "claim": C1, "piece": "1/1"}}
    ground.item()["kept_tokens"] = {"L": [{"B": ground.kms.act("Encrypt", asked)["CiphertextBlob"]}]}

    with pytest.raises(TokenRefreshError):
        ground.keeper().open(ground.kept())


def test_a_key_that_refuses_is_named(ground: Ground) -> None:
    """The message has the action, the key, the region and the secret; nothing is kept then."""
    ground.claims().append(a_claim(), after=None)
    ground.kms.refuses = True

    with pytest.raises(
        SecretAccessDenied, match=rf"kms:Encrypt on key {KEY} in eu-central-1 for tokens of secret {ARN}"
    ):
        ground.keeper().keep(a_claim(), LARGEST)
    assert "kept_tokens" not in ground.item()


def test_tokens_are_kept_beside_their_own_claim_alone(ground: Ground) -> None:
    """A run that was frozen finds a newer claim: its tokens are older than what that one brings."""
    ground.claims().append(a_claim(), after=None)
    ground.claims().append(a_claim(C2), after=C1)

    assert ground.keeper().keep(a_claim(), LARGEST) is None
    assert "kept_tokens" not in ground.item()


def test_a_claim_is_appended_only_over_what_was_read(ground: Ground) -> None:
    """Tokens that were kept after the item was read stop the next claim; kept tokens that were read go with it."""
    kept = keep(ground)

    assert not ground.claims().append(a_claim(C2), after=C1)
    assert kept == ground.kept()
    assert ground.claims().append(a_claim(C2), after=C1, kept_tokens=kept)
    assert "kept_tokens" not in ground.item()


def test_an_append_that_names_other_kept_tokens_is_refused(ground: Ground) -> None:
    """What is there by now is not what was read."""
    kept = keep(ground)
    ground.keeper().drop(kept)
    other = ground.keeper().keep(a_claim(), LARGEST)

    assert other is not None
    assert not ground.claims().append(a_claim(C2), after=C1, kept_tokens=kept)
    ground.keeper().drop(kept)
    assert other == ground.kept()


@pytest.mark.parametrize("written", ["kept tokens", "record"])
def test_an_append_that_lands_late_removes_nothing(ground: Ground, written: str) -> None:
    """AWS accepts a signed request for minutes: the first of two appends may land after its run wrote more."""
    ground.claims().append(a_claim(), after=None)
    if written == "record":
        ground.claims().store_record(a_claim(), Record(fate=Fate.REJECTED))
    else:
        ground.keeper().keep(a_claim(), LARGEST)
    before = dict(ground.item())

    assert not ground.claims().append(a_claim(), after=None)
    assert before == ground.item()


def test_an_item_whose_claim_is_unreadable_says_what_its_removal_costs(ground: Ground) -> None:
    """Removing the item removes the tokens that it keeps, too."""
    keep(ground)
    ground.item()["claim"] = {"S": "{}"}

    with pytest.raises(InvalidSecretDocument, match="keeps new tokens, which go with it"):
        ground.claims().newest()
