"""Claims and records that are hostile are named; tests/stored/test_releases.py has what reads back as it was stored."""

import json
from datetime import timedelta
from typing import Any

import pytest

from testbed.builders import HOUR, NOW, mark
from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import NO_TOKEN, Fate
from token_refresh_worker.core.claims import read_claim, read_record, unreadable_claim

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


def recorded(**changes: object) -> Any:
    return read_record(stored(GOOD_RECORD | changes))


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


def test_what_a_later_release_adds_is_ignored() -> None:
    """Members beside and behind today's change nothing, and a fate that is not known is unknown."""
    later = read(earlier=[[*ENTRY, "more"]], more={"of": "it"})
    strange = [read(earlier=[[*ENTRY[:5], fate, *ENTRY[6:]]]).earlier[0].fate for fate in ("lost", None)]

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

    assert (NOW + HOUR, Fate.NO_RESULT, "", ()) == (found.ends_at, found.fate, found.nonce, found.earlier)
    assert ("c2", "c2", NO_TOKEN, 1, 0) == (
        found.claim_id,
        found.version_id,
        found.fingerprint,
        found.attempt_number,
        found.number,
    )
