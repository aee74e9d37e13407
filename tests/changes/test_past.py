"""What became of older token sets, and which may come back: judged by what a run would read if they were current."""

from datetime import timedelta

import pytest

from changes.past import BOTH, CLIENT_REJECTED, FIRST, TABLE, VERSIONS, Secret
from run.grant import LOST, REJECTED
from run.world import FIRST_CLAIM
from testbed.builders import DAY, HOUR, NOW, attempt, claim, origin
from testbed.fakes import SECRET_ID, tokens
from token_refresh.advice import in_words
from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_admin.changes.past import TokenUse
from token_refresh_admin.changes.restore import check_claims, choose, judge
from token_refresh_worker.core.attempts import MOST_REDEMPTIONS, Fate
from token_refresh_worker.core.claims import write_claim
from token_refresh_worker.core.versions import CLAIM, CURRENT
from token_refresh_worker.stored.origin import ClaimStoreKind


@BOTH
def test_how_the_newest_attempt_ended(store: ClaimStoreKind) -> None:
    """Wherever claims are, a rejected set stays away, within a grace too; one that nobody redeemed may come back."""
    rejected, free = Secret(store, grace=DAY), Secret(store)
    rejected.refresh(REJECTED)
    free.refresh(CLIENT_REJECTED)

    assert TokenUse.REJECTED is rejected.fate()
    assert "the provider rejected that set's refresh token" in rejected.refusal()
    assert (TokenUse.UNUSED, False) == (free.fate(), free.refused())


@BOTH
def test_a_redeemed_set_comes_back_with_the_tokens_that_it_brought(store: ClaimStoreKind) -> None:
    """Without a grace, too: the next run makes the newest tokens current, and sends none."""
    secret = Secret(store)
    secret.refresh()
    secret.refresh()

    assert (TokenUse.REDEEMED, False) == (secret.fate(), secret.refused())

    sent = set(secret.single_use.used)
    secret.save(note="older", **origin(claim_store=store, grace=timedelta(0)))
    assert "recovered" == secret.outcome()
    assert ("refresh-2", "older") == (secret.current()["refreshToken"], secret.current()["note"])
    assert sent == secret.single_use.used


@BOTH
def test_the_tokens_that_it_brought_are_gone(store: ClaimStoreKind) -> None:
    """Within the grace, too: no run sends a token again that it knows to be redeemed."""
    secret = Secret(store, grace=DAY)
    secret.refresh()
    secret.refresh(CLIENT_REJECTED)
    received = secret.labels()[CURRENT]
    secret.save_text("garbage")
    secret.model.drop(SECRET_ID, received)

    assert "the tokens that it brought are gone" in secret.refusal()


@BOTH
def test_the_tokens_that_it_brought_were_rejected(store: ClaimStoreKind) -> None:
    """A dead grant doesn't come back with an older set."""
    secret = Secret(store)
    secret.refresh()
    secret.refresh(REJECTED)

    assert "rejected the refresh token that replaced that set's" in secret.refusal()


@BOTH
def test_tokens_that_were_stored_late(store: ClaimStoreKind) -> None:
    """They count more than the rejection of a second request with the same token, as for a run."""
    secret = Secret(store)

    with secret.at("put REFRESH_OUTCOME", secret.refresh):
        secret.execute(force=True)

    assert {"refresh-0"} == secret.single_use.again
    assert (TokenUse.REDEEMED, False) == (secret.fate(), secret.refused())


def test_an_attempt_from_the_future() -> None:
    """Its date says nothing, and its token may be used all the same."""
    secret = Secret(VERSIONS)
    future = attempt(fate=Fate.UNKNOWN, claimed_at=NOW + DAY)
    newest = claim(FIRST_CLAIM, token="another", earlier=(future,))
    secret.store.put(FIRST_CLAIM, write_claim(newest), label=CLAIM)

    assert TokenUse.PERHAPS is secret.fate()


def test_a_lost_table_that_runs_have_replaced() -> None:
    """Nor does anybody know them after the next refreshes: a used token would come back with the set."""
    secret = Secret(TABLE)
    secret.refresh()
    secret.refresh()
    assert secret.table is not None
    secret.table.item = {}
    for _ in range(3):
        secret.refresh()

    assert (TokenUse.PERHAPS, True) == (secret.fate(), secret.refused())


def test_an_unreadable_table() -> None:
    """The claim counts as one that nobody knows; a set that names its own still tells which token brought it."""
    secret = Secret(TABLE)
    secret.refresh()
    assert secret.table is not None
    secret.table.item["claim"] = SecretValue("garbage")

    assert (TokenUse.REDEEMED, False) == (secret.fate(), secret.refused())


@pytest.mark.parametrize(("rotates", "fate"), [(True, TokenUse.PERHAPS), (False, TokenUse.UNUSED)])
def test_more_refreshes_than_a_ledger_keeps(fate: TokenUse, *, rotates: bool) -> None:
    """A set from before them may be redeemed, unless its refresh token was issued again since; a later one is free."""
    secret = Secret(TABLE)
    for number in range(MOST_REDEMPTIONS + 2):
        secret.pass_time(HOUR)
        secret.refresh(tokens(number + 1, refresh_token="" if rotates else "refresh-0"))

    later = secret.save(refreshToken="later")

    assert (fate, TokenUse.UNUSED) == (secret.fate(), secret.fate(later))


@BOTH
def test_the_set_that_a_run_names_comes_back(store: ClaimStoreKind) -> None:
    """Where the current tokens are dead, `restore` takes that set first, whatever else is older or newer.

    An outcome that nobody knows keeps it from nothing: what is current is dead. Of the dead, the refusal names it.
    """
    secret = Secret(store)
    secret.refresh()
    secret.refresh(REJECTED)
    secret.pass_time(DAY)
    now = secret.clock.service_now
    living = secret.save(refreshToken="b0", issued_at=now, expires_at=now + HOUR)
    secret.refresh(LOST)
    assert secret.refused(living), "a request may have redeemed it"

    secret.save(refreshToken="refresh-0", **origin(claim_store=store, grace=timedelta(0)))
    secret.pass_time(DAY)

    past = secret.past()
    assert living == past.living_version == choose(past, None).version_id
    assert not secret.refused(living)
    with pytest.raises(ChangeFailed) as refused:
        judge(past, past.snapshots[FIRST], secret.policy)
    assert f"--version {living}" in in_words(refused.value.fix)


@BOTH
def test_a_version_of_a_dead_grant_is_no_first_choice(store: ClaimStoreKind) -> None:
    """Junk lies over a living grant, and the version that was current before is a dead one's."""
    secret = Secret(store)
    living = secret.labels()[CURRENT]
    now = secret.clock.service_now
    secret.save(refreshToken="x", issued_at=now, expires_at=now + HOUR)
    secret.refresh(REJECTED)
    secret.save_text("junk")

    assert living == choose(secret.past(), None).version_id


@BOTH
def test_a_set_of_another_secret(store: ClaimStoreKind) -> None:
    """Where our claims are in the store that the settings name, a document that names another one is a stranger's.

    A run says so, and `restore` goes on. Without a claim there, the settings may be wrong, and it is refused.
    """
    other = VERSIONS if store is TABLE else TABLE
    secret, never_refreshed = Secret(store), Secret(store)
    secret.refresh()
    for one in (secret, never_refreshed):
        one.pass_claim()
        one.save(refreshToken="theirs", **origin(claim_id=FIRST_CLAIM, number=9, claim_store=other))

    with pytest.raises(ConfigurationError, match=r"is of another secret: its claims are in .*token-refresh restore"):
        secret.execute()
    check_claims(secret.past())

    with pytest.raises(ConfigurationError, match="Or move the claims"):
        check_claims(never_refreshed.past())
