"""Claims and records: nothing is lost by storing them, and hostile ones are named."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from testbed.builders import DAY, HOUR, NOW, attempt, claim, mark
from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import NO_TOKEN, Fate
from token_refresh_worker.core.claims import (
    Claim,
    Record,
    read_claim,
    read_record,
    unreadable_claim,
    write_claim,
    write_record,
)
from token_refresh_worker.stored.origin import in_table

GOOD_CLAIM = {
    "version_id": "v",
    "attempt": 1,
    "ttl_seconds": 60,
    "nonce": "n",
    "earlier": [],
    "number": 1,
    "token": mark("refresh-0"),
    "host": None,
    "grace_seconds": None,
    "forced": False,
    "versions": 2,
}
ENTRY = ["c", "v", 1, 1_800_000_000, mark("refresh-0"), "stored", None, False, 2, None]
GOOD_RECORD = {"outcome": "unknown", "error": "server_error"}

NO_STORES: tuple[object, ...] = (None, 5, [], {}, {"store": "table"}, {"store": "elsewhere"})
MISSING = object()


def stored(fields: dict[str, object]) -> SecretValue:
    return SecretValue(json.dumps({name: value for name, value in fields.items() if value is not MISSING}))


def read(**changes: object) -> Any:
    return read_claim("c1", stored(GOOD_CLAIM | changes), NOW)


def read_back(claim: Claim) -> Any:
    return read_claim(claim.claim_id, write_claim(claim), claim.claimed_at)


def recorded(**changes: object) -> Any:
    return read_record(stored(GOOD_RECORD | changes))


def test_a_claim_is_read_as_it_was_written() -> None:
    """Nothing of a claim is lost by storing it; its time is the service's, given at reading."""
    earlier = (
        attempt("c0", claimed_at=NOW - DAY, brought="refresh-1", forced=True),
        replace(attempt("c1", Fate.REJECTED, retry_at=NOW + HOUR), versions=1),
    )
    written = claim("c2", number=2, claim_number=7, forced=True, grace=HOUR, earlier=earlier)

    assert written == read_back(written)
    assert (*earlier, written) == written.ledger.attempts


@pytest.mark.parametrize(("stored", "seconds"), [(1e11, 3600), (3601, 3600), (3599.5, 3599.5), (0, 1), (-5, 1), (2, 2)])
def test_a_time_to_live_is_cut(stored: float, seconds: float) -> None:
    """A claim lives a second at least and an hour at most, whatever is stored."""
    assert timedelta(seconds=seconds) == read(ttl_seconds=stored).time_to_live


@pytest.mark.parametrize(
    "changes",
    [
        {"version_id": 7},
        {"version_id": "\ud800"},
        {"version_id": ""},
        {"attempt": "1"},
        {"attempt": True},
        {"ttl_seconds": None},
        {"earlier": None},
        {"earlier": [["c"]]},
        {"earlier": [ENTRY[:6]]},
        {"earlier": [ENTRY[:4]]},
        {"earlier": [ENTRY[:4]], "fates": []},
        {"earlier": [[["c"], *ENTRY[1:]]]},
        *({"earlier": [[*ENTRY[:3], moment, *ENTRY[4:]]]} for moment in ("soon", 1e18, 1)),
        *({"earlier": [[*ENTRY[:4], fingerprint, *ENTRY[5:]]]} for fingerprint in ("short", None)),
        {"token": 5},
        {"token": None},
        {"host": "a b"},
        {"grace_seconds": "1"},
        {"number": "1"},
        *({"moved_to": elsewhere} for elsewhere in NO_STORES),
        *({key: MISSING} for key in GOOD_CLAIM.keys() - {"forced", "versions", "host", "grace_seconds"}),
    ],
)
def test_what_is_not_a_claim_is_none(changes: dict[str, object]) -> None:
    """A version that is not a claim, or lacks a key of one, is no claim, whatever is in it."""
    assert read() is not None
    assert read(**changes) is None


def test_stored_numbers_are_cut() -> None:
    """A hostile number overflows nothing later."""
    found = read(attempt=1e300, number=-3, grace_seconds=8e13)

    assert (10**12, 0, timedelta(days=30)) == (found.attempt_number, found.number, found.grace)
    assert timedelta(0) == read(grace_seconds=-1).grace


def test_a_claim_without_host_and_grace_can_be_read() -> None:
    """It may follow something unreadable, of which nobody knows them."""
    found = read_back(claim(host=None, grace=None))

    assert (None, None) == (found.host, found.grace)


def test_a_fence_is_read_as_it_was_written() -> None:
    """It says where the claims are from here on, and that nobody redeems under it."""
    fence = replace(claim(), fate=Fate.MOVED, moved_to=in_table("claims"))

    assert fence == read_back(fence)


def test_a_claim_is_stored_in_this_form() -> None:
    """Runs of two releases may meet on one secret: each reads what the other writes."""
    before = attempt("c0", brought="refresh-1")

    stored = write_claim(claim("c1", version_id="v7", number=2, claim_number=9, earlier=(before,)))

    at = before.claimed_at.timestamp()
    assert (
        '{"version_id":"v7","attempt":2,"ttl_seconds":120.0,"nonce":"nonce",'
        f'"earlier":[["c0","v0",1,{at},"{mark("refresh-0")}","stored","{mark("refresh-1")}",false,2,null]],'
        f'"number":9,"token":"{mark("refresh-0")}","host":"provider.example","grace_seconds":86400.0,"forced":false,"versions":2}}'
        == stored.reveal()
    )


def test_a_record_is_stored_in_this_form() -> None:
    """A record names what became of the token, the provider's code, and until when to wait."""
    stored = write_record(Record(fate=Fate.REJECTED, error="invalid_grant", retry_at=NOW))

    assert f'{{"outcome":"rejected","error":"invalid_grant","retry_at":{NOW.timestamp()}}}' == stored.reveal()


def test_no_fingerprint_is_shown() -> None:
    """A fingerprint is a digest of a token: it is stored, and in no `repr`."""
    made = claim(brought="refresh-1")

    assert made.fingerprint is not None
    assert made.next_fingerprint is not None
    assert made.fingerprint not in repr(made)
    assert made.next_fingerprint not in repr(made)


@pytest.mark.parametrize("fate", [Fate.NOT_REDEEMED, Fate.REJECTED, Fate.UNKNOWN])
@pytest.mark.parametrize("error", [None, "invalid_grant"])
@pytest.mark.parametrize("retry_at", [None, NOW + HOUR])
def test_a_record_is_read_as_it_was_written(fate: Fate, error: str | None, retry_at: datetime | None) -> None:
    """Nothing of a record is lost by storing it."""
    written = Record(fate=fate, error=error, retry_at=retry_at)

    assert written == read_record(write_record(written))


def test_a_record_of_stored_tokens_is_read_as_it_was_written() -> None:
    """It has the fingerprint of the refresh token that is stored, which no `repr` shows."""
    written = Record(fate=Fate.STORED, next_fingerprint=mark("refresh-1"))

    assert written == read_record(write_record(written))
    assert mark("refresh-1") not in repr(written)


def test_what_a_release_adds_has_a_default() -> None:
    """An older release lacks members, a later one has more: both are read, and a fate that is not known is unknown."""
    older = read(earlier=[ENTRY[:7]], **dict.fromkeys(("forced", "versions", "host", "grace_seconds"), MISSING))
    later = read(earlier=[[*ENTRY, "more"]], more={"of": "it"})
    strange = [read(earlier=[[*ENTRY[:5], fate, *ENTRY[6:]]]).earlier[0].fate for fate in ("lost", None)]

    assert (False, 2, None, None) == (older.forced, older.versions, older.host, older.grace)
    assert (False, 2, None) == (older.earlier[0].forced, older.earlier[0].versions, older.earlier[0].retry_at)
    assert read(earlier=[ENTRY]) == later
    assert [Fate.UNKNOWN, Fate.UNKNOWN] == strange


def test_a_later_form_is_refused_by_name() -> None:
    """What a later release stored so that an older one would misread it is no damage: the run says what to deploy."""
    with pytest.raises(ConfigurationError, match=r"a later release stored it, in form 2, .* Deploy the later release"):
        read(form=2)
    assert read() == read(form=1) == read(form="2")


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "stored"},
        {"outcome": "stored", "next": None},
        {"outcome": "stored", "next": "short"},
        {"outcome": "silent"},
        {"outcome": 1},
        {"outcome": []},
        {"outcome": MISSING},
    ],
)
def test_what_is_not_a_record_is_none(changes: dict[str, object]) -> None:
    """A version at a record's place that is not a record, or lacks a key that matters, is no record."""
    assert recorded() is not None
    assert recorded(**changes) is None


@pytest.mark.parametrize("error", [7, "\x1b[2J", "e" * 65, None, MISSING])
def test_a_strange_error_code_hides_no_record(error: object) -> None:
    """Nothing depends on the code, so it is left out, and how the attempt ended still counts."""
    found = recorded(error=error)

    assert (Fate.UNKNOWN, None) == (found.fate, found.error)


@pytest.mark.parametrize("retry_at", [None, MISSING, True, "soon", -1, 1e18, []])
def test_a_strange_retry_at_hides_no_record(retry_at: object) -> None:
    """A record without it, or with one that is no moment, waits for nothing."""
    assert recorded(retry_at=retry_at).retry_at is None


def test_something_unreadable_counts_as_a_claim_of_an_hour() -> None:
    """Something else in a claim's place may hide a run: it is waited for, and then counts as silent."""
    found = unreadable_claim("c2", NOW)

    assert (NOW + HOUR, Fate.SILENT, "", ()) == (found.ends_at, found.fate, found.nonce, found.earlier)
    assert ("c2", "c2", NO_TOKEN, 1, 0) == (
        found.claim_id,
        found.version_id,
        found.fingerprint,
        found.attempt_number,
        found.number,
    )
