import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, HOUR, NOW, attempt, claim, mark
from token_refresh.core.attempts import Fate
from token_refresh.core.claims import (
    LONGEST_TIME_TO_LIVE,
    Record,
    UnreadableClaim,
    read_claim,
    read_record,
    write_claim,
    write_record,
)
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue

STORED = claim(
    "c2",
    claimed_at=NOW,
    version_id="v7",
    number=3,
    claim_number=17,
    forced=True,
    earlier=(
        attempt("c0", brought="refresh-1", claimed_at=NOW - DAY),
        attempt("c1", Fate.REJECTED, token="refresh-1", version_id="v6", claimed_at=NOW - HOUR, forced=True),
    ),
)

FATES_LOST = tuple(
    attempt(a.claim_id, version_id=a.version_id, claimed_at=a.claimed_at, token=None) for a in STORED.earlier
)


def text_of(**changes: Any) -> SecretValue:
    return SecretValue(json.dumps(json.loads(write_claim(STORED).reveal()) | changes))


def test_a_claim_is_read_as_it_was_written() -> None:
    """Everything that a later run needs survives the round trip; the time is the service's own."""
    assert STORED == read_claim("c2", write_claim(STORED), NOW)


def test_a_claim_is_stored_in_this_form() -> None:
    """Version 1 reads the first five fields, and two releases of version 2 agree on the others."""
    at = (NOW - HOUR).timestamp()
    stored = json.loads(write_claim(claim("c1", version_id="v7", earlier=(attempt("c0", Fate.UNKNOWN),))).reveal())

    assert {
        "version_id": "v7",
        "attempt": 1,
        "ttl_seconds": 120.0,
        "nonce": "nonce",
        "earlier": [["c0", "v0", 1, at]],
        "fates": [[mark("refresh-0"), "unknown", None, False]],
        "number": 1,
        "token": mark("refresh-0"),
        "host": "provider.example",
        "grace_seconds": 86400.0,
        "forced": False,
    } == stored


def test_a_claim_of_version_1_has_no_number_and_no_tokens() -> None:
    """What version 1 did not store is unknown; its entries count as silent."""
    fields = {"version_id": "v0", "attempt": 1, "ttl_seconds": 120, "nonce": "n", "earlier": [["c0", "v0", 1, 1.7e9]]}

    found = read_claim("c1", SecretValue(json.dumps(fields)), NOW)

    assert (0, None, None, None, False) == (found.number, found.token, found.host, found.grace, found.forced)
    assert [(None, Fate.SILENT)] == [(a.token, a.fate) for a in found.earlier]


@pytest.mark.parametrize(("seconds", "expected"), [(1e11, 3600.0), (-5, 1.0), (0, 1.0), (3600, 3600.0), (8e13, 3600.0)])
def test_a_time_to_live_out_of_range_is_cut(seconds: float, expected: float) -> None:
    """Nobody waits thousands of years for a claim, and none ends before it began."""
    found = read_claim("c2", text_of(ttl_seconds=seconds), NOW)

    assert timedelta(seconds=expected) == found.time_to_live
    assert NOW + found.time_to_live == found.ends_at
    assert timedelta(hours=1) == LONGEST_TIME_TO_LIVE


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({"number": 1e40}, "number", 10**12),
        ({"number": -1}, "number", 0),
        ({"attempt": -3}, "attempt_number", 0),
        ({"grace_seconds": 1e12}, "grace", timedelta(days=30)),
        ({"grace_seconds": -1}, "grace", timedelta(0)),
        ({"forced": "yes"}, "forced", False),
        ({"fates": []}, "earlier", FATES_LOST),
        ({"fates": "none"}, "earlier", FATES_LOST),
    ],
)
def test_a_value_out_of_range_is_cut_or_left_out(changes: dict[str, Any], name: str, expected: object) -> None:
    """Stored values never lead out of the range that the rules know."""
    assert expected == getattr(read_claim("c2", text_of(**changes), NOW), name)


@pytest.mark.parametrize(
    "changes",
    [
        {"version_id": 7},
        {"version_id": "a b"},
        {"attempt": "1"},
        {"attempt": True},
        {"ttl_seconds": None},
        {"earlier": 3},
        {"earlier": [["c0"]]},
        {"earlier": [["c0", "v0", 1, "now"]]},
        {"earlier": [["c0", "v0", 1, 1e18]]},
        {"earlier": [["c0", "v0", 1, 1.0]]},
        {"earlier": [["c0", ["v0"], 1, 1.7e9]]},
        {"earlier": [["c0", "v0", [], 1.7e9]]},
        {"fates": [["short", "stored", None], [None, "stored", None]]},
        {"fates": [[None, "lost", None], [None, "stored", None]]},
        {"token": "short"},
        {"host": "a b"},
        {"number": "17"},
        {"grace_seconds": [1]},
    ],
)
def test_something_else_is_no_claim(changes: dict[str, Any]) -> None:
    """A field of the wrong form is named as a whole: the version is not a claim."""
    with pytest.raises(InvalidSecretDocument, match=r"^version c2 is not a claim$"):
        read_claim("c2", text_of(**changes), NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(json.loads(write_claim(STORED).reveal()))), JSON))
def test_whatever_is_stored_is_a_claim_or_refused_by_name(changes: dict[str, Any]) -> None:
    """No stored value ends a run with an unnamed error."""
    try:
        found = read_claim("c2", text_of(**changes), NOW)
    except InvalidSecretDocument:
        return
    assert timedelta(seconds=1) <= found.time_to_live <= LONGEST_TIME_TO_LIVE


def test_an_unreadable_claim_counts_as_one_for_an_hour() -> None:
    """It may hide a redemption of the current token, so it blocks like the longest claim, with what came before it."""
    before = claim("c0", claim_number=4, host="h.example", grace=HOUR)

    counted = UnreadableClaim(claim_id="c1", created_at=NOW).counted_as(5, before, version_id="v0", token="t" * 22)
    alone = UnreadableClaim(claim_id="c1", created_at=NOW).counted_as(1, None, version_id="v0", token="t" * 22)

    assert (NOW + HOUR, Fate.SILENT, "t" * 22, 5) == (counted.ends_at, counted.fate, counted.token, counted.number)
    assert ("c0", "h.example", HOUR) == (counted.earlier[-1].claim_id, counted.host, counted.grace)
    assert (1, 1, (), None, None) == (alone.number, alone.attempt_number, alone.earlier, alone.host, alone.grace)


def test_a_record_is_stored_in_this_form() -> None:
    """A record names the version, the attempt, what became of the refresh token, the provider's code, and when."""
    made = Record(fate=Fate.REJECTED, error="invalid_grant", recorded_at=NOW)

    stored = write_record(made, attempt("c1", version_id="v7", number=3))

    at = NOW.timestamp()
    assert (
        f'{{"version_id":"v7","attempt":3,"outcome":"rejected","error":"invalid_grant","at":{at}}}' == stored.reveal()
    )
    assert made == read_record("r1", stored)


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": "stored", "error": None, "at": 1.7e9},
        {"outcome": ["rejected"], "error": None, "at": 1.7e9},
        {"outcome": "rejected", "error": "two words", "at": 1.7e9},
        {"outcome": "rejected", "error": None, "at": 1e18},
        {"outcome": "rejected", "error": None, "at": "now"},
        {"outcome": "rejected", "at": 1.7e9},
    ],
)
def test_something_else_is_no_record(fields: dict[str, Any]) -> None:
    """Wrong types, unknown fates and impossible times are refused by name."""
    with pytest.raises(InvalidSecretDocument, match=r"^version r1 is not the record of an attempt$"):
        read_record("r1", SecretValue(json.dumps(fields)))


def test_times_at_the_edges_are_read() -> None:
    """The first and the last moment that count are still times."""
    for moment in (datetime(2000, 1, 1, tzinfo=UTC), datetime(5000, 1, 1, tzinfo=UTC)):
        stored = write_record(Record(fate=Fate.UNKNOWN, error=None, recorded_at=moment), attempt())

        assert moment == read_record("r1", stored).recorded_at
