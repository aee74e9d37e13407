"""What version IDs and dates alone prove about claims that KMS refuses to decrypt."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from testbed.builders import DAY, HOUR, MINUTE, NOW, attempt, mark, origin, token_set
from token_refresh_worker.core.attempts import LONG_AGO, NO_TOKEN, Fate, Ledger, stand_in
from token_refresh_worker.core.locked import VersionEntry, chain_of, rebuilt_claim, translated, worth_reading
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.versions import claim_version_id, response_version_id, staged_version_id

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
    brought_it = replace(attempt(C1, token="before"), next_fingerprint=stand_in(C1))
    ledger = Ledger((brought_it, replace(attempt(C2), fingerprint=stand_in("v0"))))
    brought, authorized = (token_set(**origin(claim_id=C1, number=1, authorized=by_hand)) for by_hand in (False, True))

    known = translated(ledger, brought).attempts
    assert [mark("before"), mark("refresh-0")] == [a.fingerprint for a in known]
    assert [mark("refresh-0"), None] == [a.next_fingerprint for a in known]
    assert stand_in(C1) == translated(ledger, authorized).attempts[0].next_fingerprint
    assert (without := Ledger((brought_it,))) is translated(without, authorized)


@pytest.mark.parametrize(("named", "days", "known"), [(C1, 2, 10), (None, 2, 1), (C1, -1, 1)])
def test_a_chain_without_its_beginning_has_forgotten_something(named: str | None, days: int, known: int) -> None:
    """Its ledger is marked; and its claims are newer than one that an older document names and that is not listed."""
    then = NOW - days * DAY
    old = token_set(stored_at=then, issued_at=then, **origin(claim_id=named, number=9))

    found = rebuilt_claim([entry(C3, NOW), entry("v0", then)], [C3], old, [])

    assert known == found.number
    assert (1, "locked") == (found.attempt_number, found.nonce)
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
    assert not Ledger((found,)).has_forgotten(mark("refresh-0"), NOW - HOUR)


def test_what_a_claim_brought_is_known_by_any_set_that_can_be_read() -> None:
    """Its tokens are on an edited copy, too."""
    staged = staged_version_id(C1, "v0")
    readable: TokenSet = token_set(staged, refreshToken="refresh-1")
    listed = [entry("v0", NOW - DAY), entry(C1, NOW - HOUR), entry(staged, NOW, "AWSPREVIOUS")]

    found = rebuilt_claim(listed, [C1], token_set(stored_at=NOW - DAY), [readable])

    assert (mark("refresh-0"), mark("refresh-1")) == (found.fingerprint, found.next_fingerprint)


@pytest.mark.parametrize(("named", "number", "expected"), [(C1, 7, 9), (C2, 7, 8), (C3, 7, 7), (C3, 2, 3)])
def test_a_number_counts_on_from_the_claims_that_sets_name(named: str, number: int, expected: int) -> None:
    """From whichever set can be read; the number is that of the chain at least."""
    chain = [C1, C2, C3]
    listed = [entry(claim_id, NOW) for claim_id in chain]
    bare, brought = token_set("v1"), token_set("v2", **origin(claim_id=named, number=number))

    assert expected == rebuilt_claim(listed, chain, token_set(), [bare, brought]).number


@pytest.mark.parametrize("days", [0, 1])
def test_a_set_as_old_as_the_chain_s_first_claim_is_not_before_it(days: int) -> None:
    """Only a set that is older names a claim before the chain; one without a time of issue is as old as its version."""
    then = NOW - days * DAY
    unlisted = token_set("v1", stored_at=then, **origin(claim_id="c" * 36, number=9))

    assert (10 if days else 1) == rebuilt_claim([entry(C3, NOW)], [C3], token_set(), [unlisted]).number


def test_host_and_grace_are_those_of_the_newest_claim_that_a_set_names() -> None:
    """A run's settings are compared with them, as with those of a claim that can be read."""
    older, newer = (token_set(f"v{n}", **origin(number=n, host=f"{n}.example", grace=n * HOUR)) for n in (1, 2))

    found = rebuilt_claim([entry(C1, NOW)], [C1], token_set(), [newer, older])

    assert ("2.example", 2 * HOUR) == (found.host, found.grace)
    assert (None, None) == ((bare := rebuilt_claim([entry(C1, NOW)], [C1], token_set(), [])).host, bare.grace)


@pytest.mark.parametrize(
    ("claimed_at", "first_at", "stages", "on_current"),
    [
        (NOW - HOUR, NOW - 3 * DAY, True, True),
        (NOW - HOUR, NOW - DAY, True, False),
        (NOW - HOUR, NOW - 2 * HOUR, True, False),
        (NOW - HOUR, NOW - 2 * HOUR, False, True),
        (NOW - DAY, NOW - 3 * DAY, True, False),
    ],
)
def test_a_claim_without_a_result_may_be_on_the_current_token(
    claimed_at: datetime, first_at: datetime, *, stages: bool, on_current: bool
) -> None:
    """If it is newer than that token's issue, and no claim before it brought another one since."""
    current = token_set(stored_at=NOW - HOUR / 2, issued_at=NOW - DAY)
    staged = [entry("base", first_at), entry(staged_version_id(C1, "base"), first_at)] if stages else []

    found = rebuilt_claim([entry(C1, first_at), entry(C2, claimed_at), *staged], [C1, C2], current, [])

    assert (on_current, Fate.NO_RESULT) == (mark("refresh-0") == found.fingerprint, found.fate)


@pytest.mark.parametrize(
    ("between", "authorized", "on_current"),
    [((), True, False), ((response_version_id(C1),), True, False), (("another",), True, True), ((), False, True)],
)
def test_a_claim_from_before_a_new_grant_was_stored(
    between: tuple[str, ...], *, authorized: bool, on_current: bool
) -> None:
    """It is not on its token, unless something that is listed can have held that token before."""
    moment = NOW - timedelta(seconds=10)
    current = token_set(stored_at=NOW, issued_at=NOW - MINUTE, **origin(authorized=authorized))

    found = rebuilt_claim([entry(C1, moment), *(entry(v, moment) for v in between)], [C1], current, [])

    assert on_current == (mark("refresh-0") == found.fingerprint)


def test_a_set_that_is_current_shows_what_its_claim_brought() -> None:
    """The claim's own version is listed, and not the one under which it staged its tokens."""
    current = token_set(**origin(claim_id=C1, number=1))

    found = rebuilt_claim([entry(C1, NOW)], [C1], current, [])

    assert (Fate.STORED, mark("refresh-0")) == (found.fate, found.next_fingerprint)


def test_versions_that_are_worth_reading() -> None:
    """Those with a label, and those on top of which a claim stored something; what it stored is told by its claim."""
    staged = staged_version_id(C1, "base")
    listed = [entry("v0", NOW, "AWSCURRENT"), entry("base", NOW), entry(C1, NOW), entry(staged, NOW), entry("x", NOW)]

    assert {"v0", "base"} == worth_reading(listed, [C1])
