"""What version IDs and dates alone prove about claims that KMS refuses to decrypt."""

from dataclasses import replace
from datetime import datetime

import pytest

from testbed.builders import DAY, HOUR, NOW, attempt, mark, origin, token_set
from token_refresh_worker.core.attempts import LONG_AGO, NO_TOKEN, Fate, Ledger, stand_in
from token_refresh_worker.core.locked import VersionEntry, chain_of, rebuilt_claim, translated
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.versions import claim_version_id, staged_version_id

C1 = claim_version_id(None)
C2 = claim_version_id(C1)
C3 = claim_version_id(C2)


def entry(version_id: str, created_at: datetime, *labels: str) -> VersionEntry:
    return VersionEntry(version_id=version_id, labels=frozenset(labels), created_at=created_at)


def test_a_chain_is_followed_both_ways() -> None:
    """From any claim the oldest and the newest listed one are found."""
    listed = [entry(C3, NOW), entry("v0", NOW), entry(C1, NOW), entry(C2, NOW)]

    assert [C1, C2, C3] == chain_of(listed, C2)
    assert [C3] == chain_of([entry(C3, NOW), entry(C1, NOW)], C3)


def test_a_stand_in_is_translated_once_a_document_shows_whose_it_is() -> None:
    """A document names the claim that brought its tokens; one that a person authorized names the newest known one."""
    ledger = Ledger((replace(attempt(C1, Fate.STORED), next_fingerprint=stand_in(C1)),))
    brought, authorized = (token_set(**origin(claim_id=C1, number=1, authorized=by_hand)) for by_hand in (False, True))

    assert [mark("refresh-0")] == [a.next_fingerprint for a in translated(ledger, brought).attempts]
    assert ledger == translated(ledger, authorized)


@pytest.mark.parametrize(("named", "days", "known"), [(C1, 2, 10), (None, 2, 1), (C1, -1, 1)])
def test_a_chain_without_its_beginning_has_forgotten_something(named: str | None, days: int, known: int) -> None:
    """Its ledger is marked; and its claims are newer than one that an older document names and that is not listed."""
    then = NOW - days * DAY
    old = token_set(stored_at=then, issued_at=then, **origin(claim_id=named, number=9))

    found = rebuilt_claim([entry(C3, NOW), entry("v0", then)], [C3], old, [])

    assert known == found.number
    assert (LONG_AGO, NO_TOKEN) == (found.earlier[0].claimed_at, found.earlier[0].next_fingerprint)
    assert Ledger((*found.earlier, found)).has_forgotten("unknown", LONG_AGO - DAY)


def test_a_set_that_nobody_can_read_may_have_been_a_copy() -> None:
    """A token may have been redeemed from a copy that a person saved: it counts as used if it is older than that."""
    current = token_set(stored_at=NOW, issued_at=NOW - DAY)
    staged = staged_version_id(C1, "copy")
    listed = [entry("copy", NOW - 2 * HOUR), entry(C1, NOW - HOUR), entry(staged, NOW - HOUR), entry("v0", NOW)]

    found = rebuilt_claim(listed, [C1], current, [])

    assert (Fate.STORED, stand_in("copy"), stand_in(C1)) == (found.fate, found.fingerprint, found.next_fingerprint)
    assert Ledger((found,)).has_forgotten(mark("refresh-0"), NOW - DAY)
    assert not Ledger((found,)).has_forgotten(mark("refresh-0"), NOW)


def test_what_a_claim_brought_is_known_by_any_set_that_can_be_read() -> None:
    """Its tokens are on an edited copy, too."""
    staged = staged_version_id(C1, "v0")
    readable: TokenSet = token_set(staged, refreshToken="refresh-1")
    listed = [entry("v0", NOW - DAY), entry(C1, NOW - HOUR), entry(staged, NOW, "AWSPREVIOUS")]

    found = rebuilt_claim(listed, [C1], token_set(stored_at=NOW - DAY), [readable])

    assert (mark("refresh-0"), mark("refresh-1")) == (found.fingerprint, found.next_fingerprint)
