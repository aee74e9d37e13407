"""Version 1: its claims are read, and it can read ours."""

import json

from builders import DAY, HOUR, MINUTE, NOW, RUN, attempt, claim, mark, origin, policy, snapshot, token_set
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Fate, Ledger
from token_refresh_worker.core.claims import read_claim, write_claim
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.steps import Redeem

TOKEN = mark("refresh-0")
OLD = NOW - 3 * DAY
GOOD_CLAIM = {"version_id": "v", "attempt": 1, "ttl_seconds": 60, "nonce": "n", "earlier": []}


def test_attempts_of_version_1_count_by_their_version() -> None:
    """They have no fingerprint: unresolved, used or old, what counts is the version that they were on."""
    unresolved = attempt(fate=Fate.UNKNOWN, token=None, claimed_at=OLD)
    stored = attempt(token=None, brought="refresh-1")
    many = tuple(attempt(f"n{n}", Fate.REJECTED, version_id="w", token="t", claimed_at=OLD) for n in range(60))

    assert unresolved == Ledger((unresolved,)).first_unresolved(TOKEN, "v0")
    assert stored == Ledger((stored,)).successor(TOKEN, "v0")
    assert unresolved in Ledger((unresolved, *many)).kept(NOW, TOKEN, "v0")


def test_a_version_1_claim_counts_before_what_the_document_names() -> None:
    """Version 1 keeps the key of an older document, so the label of its claim wins."""
    named = token_set(**origin(claim_id="c" * 36, number=5))
    version_1 = claim("c1", fate=Fate.NOT_REDEEMED, claim_number=0, host=None, grace=None)

    step = plan(snapshot(version_1, current=named), RUN, policy())

    assert isinstance(step, Redeem)
    assert ("c1", 6) == (step.after, step.claim.number)


def test_a_claim_of_version_1_is_read() -> None:
    """It has no number, fingerprint, host, grace or fates: its attempts are silent until something is found."""
    old = read_claim("c1", SecretValue(json.dumps(GOOD_CLAIM | {"earlier": [["c0", "v0", 2, NOW.timestamp()]]})), NOW)

    assert (0, None, None, None, False) == (old.number, old.fingerprint, old.host, old.grace, old.forced)
    assert (attempt("c0", token=None, number=2, claimed_at=NOW),) == old.earlier
    assert NOW + MINUTE == old.ends_at


def test_version_1_reads_a_claim() -> None:
    """Each entry of `earlier` has the four members that version 1 knows; everything new is in keys of its own."""
    stored = json.loads(write_claim(claim(earlier=(attempt("c0"),))).reveal())

    assert {"version_id": "v0", "attempt": 1, "ttl_seconds": 120.0, "nonce": "nonce"}.items() <= stored.items()
    assert [["c0", "v0", 1, (NOW - HOUR).timestamp()]] == stored["earlier"]
    assert ["fates", "forced", "grace_seconds", "host", "number", "token"] == sorted(stored.keys() - GOOD_CLAIM.keys())


def test_an_attempt_without_a_fingerprint_counts_on_its_version() -> None:
    """A version 1 claim does not say which token it redeems; on the current version it is the current one."""
    ledger = Ledger((attempt("here", token=None), attempt("there", token=None, version_id="v9")))

    assert ["here"] == [a.claim_id for a in ledger.on_token(TOKEN, "v0")]
    assert ["there"] == [a.claim_id for a in ledger.on_version("v9")]
