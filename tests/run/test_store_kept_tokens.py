"""Tokens that arrive while Secrets Manager refuses writes: the claim table keeps them, and the next run stores them."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from run.world import World, refuse
from testbed.builders import (
    FORCED,
    HOUR,
    IN_TABLE,
    MINUTE,
    NOW,
    RUN,
    SINGLE_USE_IN_TABLE,
    claim,
    origin,
    snapshot,
    token_set,
)
from testbed.builders import fields as document_fields
from token_refresh.errors import (
    DeadlineExceeded,
    KeptTokensUnreadable,
    SecretAccessDenied,
    SecretStoreUnavailable,
    TokenRefreshError,
    TokensKept,
    TokensNotStored,
)
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.claims import KeptTokens
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.snapshot import Snapshot, TokenSet
from token_refresh_worker.core.steps import ReplaceLostTable, StoreKeptTokens
from token_refresh_worker.core.versions import staged_version_id
from token_refresh_worker.run.ports import KEEP_RESERVE_SECONDS, LEAST_REQUEST_SECONDS
from token_refresh_worker.stored.origin import ClaimStoreKind

CLAIM = claim(claimed_at=NOW - HOUR)
KEPT = KeptTokens(claim=CLAIM, stored="ciphertext")
AUTHORIZED = {"expires_at": NOW + HOUR, **origin(claim_store=ClaimStoreKind.TABLE, authorized=True)}


def kept(current: TokenSet | None = None) -> Snapshot:
    """The first claim's run has received tokens, and the table keeps them."""
    found = replace(snapshot(CLAIM), kept_tokens=KEPT)
    return found if current is None else replace(found, current=current)


def test_kept_tokens_are_stored_before_all_else() -> None:
    """Even a forced run with the settings of another deployment stores received tokens first, under their claim's ID.

    Also where someone saved a copy meanwhile: the usual rules carry them onto that.
    """
    assert staged_version_id(CLAIM.claim_id, CLAIM.version_id) == KEPT.version_id
    assert StoreKeptTokens(KEPT, needed=True) == plan(kept(token_set("edited")), RUN, IN_TABLE)
    assert StoreKeptTokens(KEPT, needed=True) == plan(kept(), FORCED, replace(IN_TABLE, host="else.example"))


def test_the_token_that_was_redeemed_is_never_sent_past_kept_tokens() -> None:
    """A copy of the token set that they follow may say that a person brought it; its token is used all the same."""
    copy = kept(token_set("copy", **AUTHORIZED))
    refused = replace(RUN, kept_tokens_left={KEPT.version_id})

    assert StoreKeptTokens(KEPT, needed=True) == plan(copy, refused, IN_TABLE)


def test_what_a_restored_table_keeps_is_old() -> None:
    """The document is newer than the table's claim: what the table keeps was stored long ago, or is lost."""
    newer = token_set("v5", **origin(claim_store=ClaimStoreKind.TABLE, claim_id="c" * 32, number=5))

    step = plan(kept(newer), RUN, IN_TABLE)

    assert isinstance(step, ReplaceLostTable)
    assert KEPT == step.kept_tokens


STAGING = "put REFRESH_OUTCOME"
DENIED = SecretAccessDenied("denied", fix="Allow it")


def a_world(**document: Any) -> World:
    """A single-use provider, claims in a table, and a key with which that can keep tokens."""
    return World(policy=SINGLE_USE_IN_TABLE, keeps=True, expires_at=NOW + 7 * HOUR, **document)


def refusing(world: World, error: TokenRefreshError = DENIED) -> None:
    """From now on, Secrets Manager refuses every write."""

    def hook(called: str) -> None:
        if called.startswith(("put", "move")):
            raise error

    world.store.before = hook


def taking(world: World) -> None:
    """Secrets Manager takes writes again."""
    world.store.before = lambda _: None


def with_kept_tokens() -> World:
    """A world in which a run kept tokens, and Secrets Manager takes writes again."""
    world = a_world()
    refusing(world)
    with pytest.raises(TokensKept):
        world.execute()
    taking(world)
    return world


@pytest.mark.parametrize("error", [DENIED, SecretStoreUnavailable("down")])
def test_refused_tokens_wait_in_the_table(error: TokenRefreshError) -> None:
    """The run says that they are kept, and why; each later one tries to store them, and sends nothing."""
    world = a_world()
    refusing(world, error)

    for _ in range(3):
        says = (
            rf"does not take them \({type(error).__name__}: {error.facts}\)\. The claim table keeps them.* the next run"
        )
        with pytest.raises(TokensKept, match=says):
            world.execute()
        world.pass_time(10 * MINUTE)

    assert 1 == len(world.endpoint.requests)
    taking(world)
    assert ["recovered", "fresh"] == [world.outcome(), world.outcome()]
    assert ("access-1", 1) == (world.current()["accessToken"], len(world.endpoint.requests))
    assert "kept_tokens" not in world.claim_table.item


@pytest.mark.parametrize(("error", "once"), [(DENIED, True), (SecretStoreUnavailable("throttled"), False)])
def test_what_can_not_pass_is_not_repeated(error: TokenRefreshError, *, once: bool) -> None:
    """Once the tokens are kept, a refusal that does not pass ends the run; a throttled put is repeated as before."""
    world = a_world()
    refusing(world, error)

    with pytest.raises(TokensKept):
        world.execute()

    assert once is (world.store.calls.count(STAGING) == 1)


def test_a_run_stores_what_it_kept() -> None:
    """Tokens are kept at the first refusal, not at the deadline; once they are stored, the table forgets them."""
    world = a_world()
    seen = []

    def hook(called: str) -> None:
        if called == STAGING and world.clock.seconds < 30:
            seen.append("kept_tokens" in world.claim_table.item)
            raise SecretStoreUnavailable("down")

    world.store.before = hook

    assert "refreshed" == world.outcome()
    assert [False, True] == seen[:2]
    assert "kept_tokens" not in world.claim_table.item
    assert 1 == world.claim_table.calls.count("keep tokens")


@pytest.mark.parametrize("error", [KeyError("defect"), MemoryError()])
def test_tokens_are_kept_whatever_fails(error: Exception) -> None:
    """A defect of this program, too, must not cost the tokens."""
    world = a_world()
    world.store.before = refuse(STAGING, error)

    with pytest.raises(type(error)):
        world.execute()

    taking(world)
    assert "recovered" == world.outcome()


def test_a_table_that_fails_is_tried_again() -> None:
    """Where KMS refuses too, each refusal of Secrets Manager tries both again."""
    world = a_world()
    refusing(world)
    failures = iter([SecretStoreUnavailable("KMS is down")] * 3)

    def hook(called: str) -> None:
        failure = next(failures, None) if called == "keep tokens" else None
        if failure:
            raise failure

    world.claim_table.before = hook

    with pytest.raises(TokensKept):
        world.execute()
    assert 4 == world.claim_table.calls.count("keep tokens")


def newer_claim(world: World) -> Callable[[str], None]:
    def hook(called: str) -> None:
        if called == "keep tokens":
            world.claim_table.item = {**world.claim_table.item, "claim_id": "another"}

    return hook


def without_key(world: World) -> Callable[[str], None]:
    world.keeps = False
    return lambda _called: None


@pytest.mark.parametrize(
    ("hook", "why"),
    [
        (lambda _: refuse("keep tokens", DENIED), "denied; the claim table could not keep them: denied"),
        (
            lambda _: refuse("keep tokens", KeyError("x")),
            "denied; the claim table could not keep them: KeyError at world.py",
        ),
        (newer_claim, "denied; the claim table could not keep them: it has a newer claim"),
        (without_key, r"denied; there is no key \(KEPT_TOKENS_KEY_ID\) with which the claim table could keep them"),
    ],
)
def test_tokens_that_nothing_takes_are_an_error_of_their_own(
    hook: Callable[[World], Callable[[str], None]], why: str
) -> None:
    """It says why the secret does not take them, and why the table does not keep them."""
    world = a_world()
    refusing(world)
    world.claim_table.before = hook(world)

    with pytest.raises(TokensNotStored, match=why):
        world.execute()


def test_the_very_text_that_arrived_is_stored() -> None:
    """So that a put of the run that kept it, which lands late, finds its own value."""
    world = with_kept_tokens()
    kept = world.claim_table.item["kept_tokens"]

    world.execute()

    stored = world.store.read(version_id=kept.version_id)
    assert stored is not None
    assert kept.stored == stored.value


@pytest.mark.parametrize("later", [timedelta(0), 6 * HOUR], ids=["at once", "in the last quarter"])
def test_nothing_is_sent_past_tokens_that_can_not_be_decrypted(later: timedelta) -> None:
    """The used refresh token would be sent again, at any time; a person may authorize instead."""
    world = with_kept_tokens()
    world.claim_table.before = refuse("open kept tokens", DENIED)
    world.pass_time(later)

    says = r"can't be decrypted \(denied\); nothing was sent.*Allow it\..* `token-refresh authorize tokens "
    with pytest.raises(KeptTokensUnreadable, match=says):
        world.execute(force=True)
    assert 1 == len(world.endpoint.requests)

    world.claim_table.before = lambda _: None
    assert "recovered" == world.outcome()


def test_a_missing_key_hides_no_kept_tokens() -> None:
    """A deployment that lost its setting sends nothing either, and says which one it is."""
    world = with_kept_tokens()
    world.keeps = False

    says = r"\(KEPT_TOKENS_KEY_ID is not set\).* Set KEPT_TOKENS_KEY_ID to the key that encrypted them"
    with pytest.raises(KeptTokensUnreadable, match=says):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_kept_tokens_that_are_no_document_are_not_stored() -> None:
    """What would never become current blocks no version ID."""
    world = with_kept_tokens()
    world.claim_table.item["kept_tokens"] = replace(world.claim_table.item["kept_tokens"], stored=SecretValue("{}"))

    with pytest.raises(KeptTokensUnreadable, match="refreshToken or refresh_token is missing"):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_kept_tokens_replace_no_other_value() -> None:
    """Where their version ID is taken, the run says so, and sends nothing."""
    world = with_kept_tokens()
    world.store.put(world.claim_table.item["kept_tokens"].version_id, SecretValue("theirs"), label="SQUATTER")

    with pytest.raises(TokensNotStored, match="is taken by another value"):
        world.execute()
    assert 1 == len(world.endpoint.requests)


def test_authorize_is_the_way_out() -> None:
    """A new grant does without tokens that nobody can decrypt: it is refreshed, and its claim removes them."""
    world = with_kept_tokens()
    world.claim_table.before = refuse("open kept tokens", DENIED)
    brought = origin(claim_store=ClaimStoreKind.TABLE, host=SINGLE_USE_IN_TABLE.host, authorized=True)
    document = document_fields(refreshToken="refresh-new", expires_at=NOW + HOUR, **brought)
    world.save_text(json.dumps(document))
    world.pass_time(15 * MINUTE)

    assert "refreshed" == world.outcome()
    assert "refresh-new" == world.endpoint.requests[-1].fields["refresh_token"]
    assert "kept_tokens" not in world.claim_table.item
    assert "kept_tokens_left" in world.log.events


def test_the_next_claim_removes_what_could_not_be_removed() -> None:
    """Stored tokens that the table still has are harmless, and go with the next append."""
    world = with_kept_tokens()
    world.claim_table.before = refuse("drop kept tokens", DENIED)

    assert "recovered" == world.outcome()
    assert "kept_tokens" in world.claim_table.item
    assert "kept_tokens_not_removed" in world.log.events
    world.pass_time(20 * HOUR)
    assert "refreshed" == world.outcome()
    assert "kept_tokens" not in world.claim_table.item


def test_a_dry_run_leaves_kept_tokens_alone() -> None:
    """It says what a run would do, and asks KMS for nothing."""
    world = with_kept_tokens()

    assert "would_recover" == world.outcome(dry_run=True)
    assert "open kept tokens" not in world.claim_table.calls
    assert "kept_tokens" in world.claim_table.item


def test_the_run_reserves_time_for_keeping() -> None:
    """A request is sent only with time left to store its tokens, and to keep them where that fails."""
    needed = KEEP_RESERVE_SECONDS + LEAST_REQUEST_SECONDS
    world = a_world()

    with pytest.raises(DeadlineExceeded, match=f"{needed:.0f} s are needed"):
        world.execute(time_left_seconds=needed - 1)
    assert "refreshed" == world.outcome(time_left_seconds=needed)
    assert [LEAST_REQUEST_SECONDS] == world.endpoint.timeouts


def test_kept_tokens_that_are_in_the_secret_need_no_key() -> None:
    """A late write stored them: their key is not asked for again, and the run makes them current."""
    world = with_kept_tokens()
    kept = world.claim_table.newest().kept_tokens
    assert kept is not None
    world.store.put(kept.version_id, world.claim_table.open(kept), label="REFRESH_OUTCOME")
    world.claim_table.before = refuse("open kept tokens", SecretAccessDenied("denied"))

    assert "recovered" == world.outcome()
