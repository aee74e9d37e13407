"""Small truths about the core that no other test states: each is there because a mutant of it went unnoticed."""

import json
import uuid

import pytest

from builders import DAY, HOUR, IN_TABLE, MINUTE, NOW, attempt, claim, mark, origin, policy, snapshot, text, token_set
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.times import EARLIEST_SECONDS, LATEST_SECONDS
from token_refresh_worker.core.attempts import Fate, Ledger
from token_refresh_worker.core.claims import UnreadableClaim, read_claim, read_record, write_claim
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import FORCED_CLAIMS_A_DAY
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.steps import Hold, Redeem, ReplaceLostTable
from token_refresh_worker.core.versions import unheld_claim_id
from token_refresh_worker.stored.document import read_document

TOKEN = mark("refresh-0")
OLD = NOW - 3 * DAY


def test_each_link_of_a_chain_is_followed() -> None:
    """The newest tokens are at the end of the chain, however its links lie."""
    chain = tuple(attempt(f"c{n}", token=f"refresh-{n}", brought=f"refresh-{n + 1}") for n in range(3))

    assert chain[-1] == Ledger(chain).successor(TOKEN)


def test_a_claim_of_exactly_a_day_ago_counts_no_more() -> None:
    """The next claim fits in the moment that was announced."""
    assert NOW == Ledger((attempt(claimed_at=NOW - DAY),)).allowed_at(1, NOW)


def test_where_there_is_no_refresh_token_the_access_token_is_redeemed() -> None:
    """With neither, it is empty text, so that a first token can be asked for."""
    exchange = read_document(text(refreshToken=None), needs_refresh_token=False)
    first = read_document(SecretValue("{}"), needs_refresh_token=False)

    assert "access-0" == exchange.redeemed_token.reveal()
    assert "" == first.redeemed_token.reveal()


def test_a_claim_without_host_and_grace_can_be_read() -> None:
    """It may follow something unreadable, of which nobody knows them."""
    found = read_claim("c1", write_claim(claim(host=None, grace=None)), NOW)

    assert (None, None) == (found.host, found.grace)


def test_an_unreadable_claim_keeps_its_id() -> None:
    """The next claim follows it."""
    assert (
        "c9"
        == UnreadableClaim(claim_id="c9", created_at=NOW).counted_as(1, None, version_id="v", fingerprint="t").claim_id
    )


def test_times_have_bounds() -> None:
    """The first moment is allowed, the last one is not."""
    record = {"version_id": "v", "attempt": 1, "outcome": "unknown", "error": None}

    assert (
        EARLIEST_SECONDS
        == read_record("r", SecretValue(json.dumps(record | {"at": EARLIEST_SECONDS}))).recorded_at.timestamp()
    )
    with pytest.raises(InvalidSecretDocument):
        read_record("r", SecretValue(json.dumps(record | {"at": LATEST_SECONDS})))


def test_the_moment_after_the_backoff_is_free() -> None:
    """A run that comes at the time it was given does not wait again."""
    failed = claim(fate=Fate.NOT_REDEEMED, number=2, claimed_at=NOW - 2 * MINUTE)

    assert isinstance(plan(snapshot(failed), RunState(), policy()), Redeem)


def test_claims_that_nobody_forced_leave_the_limit_of_forced_ones() -> None:
    """Scheduled runs take nothing from those who force."""
    scheduled = tuple(attempt(f"s{n}", Fate.NOT_REDEEMED, version_id="w") for n in range(20))
    run = RunState(forced_version="v0", forced_claims_a_day=FORCED_CLAIMS_A_DAY)
    fresh = token_set(expires_at=NOW + 30 * DAY)

    newest = claim(fate=Fate.NOT_REDEEMED, version_id="w", earlier=scheduled)
    assert isinstance(plan(snapshot(newest, current=fresh), run, policy()), Redeem)


def test_the_next_claim_carries_the_first_unresolved_attempt_on() -> None:
    """The provider's grace counts from it, however old it is."""
    first = attempt("first", Fate.UNKNOWN, claimed_at=OLD)
    many = tuple(attempt(f"n{n}", Fate.REJECTED, version_id="w", token="t", claimed_at=OLD) for n in range(60))
    newest = claim("last", fate=Fate.NOT_REDEEMED, earlier=(first, *many))

    step = plan(snapshot(newest), RunState(forced_version="v0"), policy())

    assert isinstance(step, Redeem)
    assert first in step.claim.earlier


def test_what_replaces_a_lost_table_is_a_first_attempt_that_nobody_holds() -> None:
    """Its ID follows from the nonce alone, and the lost claims count as first attempts."""
    current = token_set(**origin(claim_id="c" * 36, number=4, claim_store=IN_TABLE.claim_store))
    restored = claim(fate=Fate.REJECTED, number=3, claim_number=2)

    step = plan(snapshot(restored, current=current, now=NOW + 2 * HOUR), RunState(nonce="n"), IN_TABLE)

    assert isinstance(step, ReplaceLostTable)
    assert {1} == {a.attempt_number for a in (step.claim, *step.claim.earlier) if a.claim_id != restored.claim_id}
    assert str(uuid.uuid5(uuid.UUID("6a1ba9c2-31e7-4f2b-9d0c-0f1b2ba3d6c5"), "unheld/n")) == step.claim.claim_id
    assert unheld_claim_id("n") == step.claim.claim_id


def test_a_hold_lasts_until_a_claim_is_allowed() -> None:
    """It names the moment at which the token can really be sent: the daily limit counts, and the newest attempt."""
    settings = policy(grace=0 * HOUR)
    full = tuple(attempt(f"s{n}", Fate.NOT_REDEEMED, version_id="w") for n in range(40))
    unknown = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, earlier=full)
    earlier = attempt("e", Fate.UNKNOWN, number=12, claimed_at=NOW - MINUTE)

    assert Hold(NOW - MINUTE, NOW + 23 * HOUR) == plan(snapshot(unknown), RunState(), settings)
    newest = claim(fate=Fate.UNKNOWN, claimed_at=NOW - MINUTE, earlier=(earlier,))
    assert isinstance(plan(snapshot(newest), RunState(), settings), Redeem)
