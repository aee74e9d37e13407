"""Rule 1: the claim table keeps tokens that Secrets Manager refused."""

from dataclasses import replace

from testbed.builders import FORCED, HOUR, IN_TABLE, NOW, RUN, claim, origin, snapshot, token_set
from token_refresh_worker.core.claims import KeptTokens
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.snapshot import Snapshot, TokenSet
from token_refresh_worker.core.steps import Redeem, ReplaceLostTable, StoreKept
from token_refresh_worker.core.versions import staged_version_id
from token_refresh_worker.stored.origin import ClaimStoreKind

CLAIM = claim(claimed_at=NOW - HOUR)
KEPT = KeptTokens(claim=CLAIM, stored="ciphertext")
AUTHORIZED = {"expires_at": NOW + HOUR, **origin(claim_store=ClaimStoreKind.TABLE, authorized=True)}


def kept(current: TokenSet | None = None) -> Snapshot:
    """The first claim's run has received tokens, and the table keeps them."""
    found = replace(snapshot(CLAIM), kept=KEPT)
    return found if current is None else replace(found, current=current)


def test_kept_tokens_are_stored_before_all_else() -> None:
    """Even a forced run with the settings of another deployment stores received tokens first."""
    assert StoreKept(KEPT, needed=True) == plan(kept(), FORCED, replace(IN_TABLE, host="else.example"))


def test_kept_tokens_belong_under_the_id_of_their_own_claim() -> None:
    """Also where someone saved a copy meanwhile: the usual rules carry them onto that."""
    assert staged_version_id(CLAIM.claim_id, CLAIM.version_id) == KEPT.version_id
    assert StoreKept(KEPT, needed=True) == plan(kept(token_set("edited")), RUN, IN_TABLE)


def test_stored_tokens_are_not_stored_again() -> None:
    """A run whose removal failed goes on; the next claim removes them, and names them for that."""
    done = replace(RUN, staged={KEPT.version_id: token_set(KEPT.version_id)})

    step = plan(kept(), done, IN_TABLE)

    assert isinstance(step, Redeem)
    assert KEPT == step.kept


def test_a_new_grant_does_without_kept_tokens() -> None:
    """After `token-refresh authorize` a run tries to store them once, and then goes on."""
    authorized = kept(token_set("v1", refreshToken="refresh-new", **AUTHORIZED))
    refused = replace(RUN, refused_kept={KEPT.version_id})

    assert StoreKept(KEPT, needed=False) == plan(authorized, RUN, IN_TABLE)
    assert isinstance(plan(authorized, refused, IN_TABLE), Redeem)


def test_the_token_that_was_redeemed_is_never_sent_past_kept_tokens() -> None:
    """A copy of the token set that they follow may say that a person brought it; its token is used all the same."""
    copy = kept(token_set("copy", **AUTHORIZED))
    refused = replace(RUN, refused_kept={KEPT.version_id})

    assert StoreKept(KEPT, needed=True) == plan(copy, refused, IN_TABLE)


def test_what_a_restored_table_keeps_is_old() -> None:
    """The document is newer than the table's claim: what the table keeps was stored long ago, or is lost."""
    newer = token_set("v5", **origin(claim_store=ClaimStoreKind.TABLE, claim_id="c" * 32, number=5))

    step = plan(kept(newer), RUN, IN_TABLE)

    assert isinstance(step, ReplaceLostTable)
    assert KEPT == step.kept
