"""Somebody puts dead tokens back over a set that may be alive."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from run.grant import REJECTED
from run.test_locked_versions import change_key
from run.two_grants import TwoGrants
from run.world import Killed, fail, refuse
from testbed.builders import DAY, FORCED, HOUR, MINUTE, NOW, RUN, claim, mark, ms, origin, policy, snapshot, token_set
from testbed.fakes import SECRET_ID, tokens
from token_refresh.errors import InvalidSecretDocument, ReauthorizationRequired, SecretAccessDenied
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import ClaimPause
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.snapshot import LivingSet, PublishedCopy
from token_refresh_worker.core.steps import (
    LivingSetReplaced,
    NextTokensUndecryptable,
    Publish,
    Reason,
    Redeem,
    Rejected,
    SettingsMismatch,
    Wait,
)
from token_refresh_worker.core.versions import CURRENT, published_version_id, staged_version_id
from token_refresh_worker.run.run import next_step
from token_refresh_worker.stored.origin import ClaimStoreKind
from token_refresh_worker.stored.published import PublishedContent

STORES = pytest.mark.parametrize("store", list(ClaimStoreKind))
VERSIONS, TABLE = ClaimStoreKind
LIVING = LivingSet(version_id="b1", stored_at=NOW - HOUR)
PAUSE = ClaimPause(until=NOW + HOUR, why="maintenance")


@STORES
@pytest.mark.parametrize("back", [TwoGrants.put_back, TwoGrants.put_back_bare, TwoGrants.move_back])
@pytest.mark.parametrize("which", ["a0", "a1"])
@pytest.mark.parametrize("refreshes", [0, 1])
def test_dead_tokens_take_the_place_of_no_living_ones(
    store: ClaimStoreKind, back: Callable[[TwoGrants, str], None], which: str, refreshes: int
) -> None:
    """Nothing is sent, made current or published; the error names the newest set of the living grant."""
    world = TwoGrants(store)
    living = world.by_command()
    assert "fresh" == world.outcome()
    for _ in range(refreshes):
        living = world.refresh("b1")
    read = world.copied()
    back(world, getattr(world, which))
    put_back = world.labels()[CURRENT]
    world.pass_time(HOUR)
    world.endpoint.requests.clear()

    for _ in range(2):
        with pytest.raises(InvalidSecretDocument, match=f"`token-refresh restore tokens .* --version {living}`"):
            world.execute()
    assert ([], put_back, read) == (world.endpoint.requests, world.labels()[CURRENT], world.copied())

    world.move_back(living)
    assert "refreshed" == world.send(tokens(refresh_token="b2"))


@STORES
def test_a_set_that_somebody_stored_by_hand_is_named(store: ClaimStoreKind) -> None:
    """No claim names it before its first refresh, so a run looks at the list of versions."""
    world = TwoGrants(store)
    living = world.authorize_b()
    world.put_back(world.a0)
    world.pass_time(HOUR)

    with pytest.raises(InvalidSecretDocument, match=f"--version {living}`"):
        world.execute()


@STORES
@pytest.mark.parametrize("refreshes", [0, 1])
def test_what_a_run_or_a_command_stored_is_named_before_what_a_stranger_did(
    store: ClaimStoreKind, refreshes: int
) -> None:
    """A stranger's newer set may be of another grant. It is named where there is nothing else."""
    world = TwoGrants(store)
    ours = [world.by_command(), *(world.refresh("b1") for _ in range(refreshes))]
    world.pass_time(MINUTE)
    now = world.clock.service_now
    world.save(refreshToken="stranger", issued_at=now, expires_at=now + DAY)
    strangers = world.labels()[CURRENT]
    world.put_back(world.a1)
    world.pass_time(HOUR)

    with pytest.raises(InvalidSecretDocument, match=f"--version {ours[-1]}`"):
        world.execute()
    for version_id in ours:
        world.model.drop(SECRET_ID, version_id)
    assert LivingSet(version_id=strangers, stored_at=now, is_foreign=True) == world.found()


@STORES
def test_without_the_list_the_ledger_is_left(store: ClaimStoreKind) -> None:
    """A caller that may not list versions finds what a run has brought, and nothing else."""
    brought, by_hand = TwoGrants(store), TwoGrants(store)
    brought.by_command()
    living = brought.refresh("b1")
    by_hand.authorize_b()
    for world in (brought, by_hand):
        world.put_back(world.a1)
        world.pass_time(HOUR)
        world.store.before = refuse("list versions", SecretAccessDenied("not allowed"))

    assert living == getattr(brought.found(), "version_id", None)
    assert by_hand.found() is None


@STORES
def test_what_is_no_living_set_is_not_named(store: ClaimStoreKind) -> None:
    """Junk, a rotation's AWSPENDING, a revoked grant, another host's set and one that is gone: a person authorizes."""
    world = TwoGrants(store)
    gone = world.by_command()
    world.save_text("junk")
    now = world.clock.service_now
    world.save_text(json.dumps(origin(claim_store=store, grace=timedelta(0), revoked_at=now)))
    elsewhere = origin(claim_store=store, grace=timedelta(0), host="else.example")
    world.save(refreshToken="elsewhere", issued_at=now, expires_at=now + DAY, **elsewhere)
    world.store.put("p" * 32, world.store.read(version_id=gone).value, label="AWSPENDING")  # type: ignore[union-attr, arg-type]
    world.put_back(world.a1)
    world.model.drop(SECRET_ID, gone)

    with pytest.raises(ReauthorizationRequired):
        world.send(REJECTED)
    assert world.found() is None


def test_a_token_that_a_lost_table_may_have_redeemed_is_not_named() -> None:
    """The set that the restored table says was never used may be used all the same."""
    world = TwoGrants(TABLE, dies=False)
    restored = dict(world.claim_table.item)
    world.refresh("a2")
    world.claim_table.item = restored
    world.pass_time(DAY)
    assert "yielded" == world.outcome()

    with pytest.raises(ReauthorizationRequired):
        world.send(REJECTED)
    assert world.found() is None


@STORES
def test_tokens_that_were_stored_late_end_the_search(store: ClaimStoreKind) -> None:
    """A falsely rejected token was sent again, and what it brought arrived after its run: the grant is alive."""
    world = TwoGrants(store)
    with world.at("put REFRESH_OUTCOME", fail(Killed())), pytest.raises(Killed):
        world.send(tokens(refresh_token="a2"), force=True)
    claim_id = world.newest_claim()
    world.pass_claim()
    world.by_command()
    world.refresh("b1")
    late = {**world.document(world.a1), "refreshToken": "a2", "expiresAt": ms(world.clock.service_now + DAY)}
    world.store.put(staged_version_id(claim_id, world.a1), SecretValue(json.dumps(late)), label="LATE")
    world.put_back(world.a0)
    world.pass_time(HOUR)

    assert "recovered" == world.outcome()
    assert "a2" == world.current()["refreshToken"]


@STORES
def test_a_version_that_goes_while_it_is_looked_for_is_not_named(store: ClaimStoreKind) -> None:
    """Secrets Manager may list a version that it removes a moment later."""
    world = TwoGrants(store)
    gone = world.by_command()
    world.put_back(world.a1)
    world.pass_time(HOUR)

    with world.at("list versions", lambda: world.model.drop(SECRET_ID, gone), after=True):
        assert world.found() is None


@STORES
def test_a_set_that_no_read_shows_yet_is_waited_for(store: ClaimStoreKind) -> None:
    """The ledger says that a run has stored it; a read may be some minutes old. One that stays away is gone."""
    world = TwoGrants(store)
    world.by_command()
    unseen = world.refresh("b1")
    world.put_back(world.a1)
    world.endpoint.responses = [REJECTED]
    assert "yielded" == world.outcome(force=True), "its claim lists what the one before it brought"
    call = world.model.call

    def respond(operation: str, request: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        asked = request.get("VersionId") == unseen
        return call(operation, {**request, "VersionId": "x" * 32} if asked else request, now=now)

    world.model.call = respond  # type: ignore[method-assign]
    assert "yielded" == world.outcome()
    world.pass_time(HOUR)
    assert world.found() is None


def test_a_living_set_under_a_refused_key_is_named_with_its_key() -> None:
    """Nobody asks for a consent: as soon as the key can be used again, the set can."""
    world = TwoGrants(TABLE)
    world.by_command()
    living = world.refresh("b1")
    for _ in range(2):  # Secrets Manager encrypts AWSCURRENT and AWSPREVIOUS anew.
        world.put_back(world.a0)
    change_key(world)
    world.pass_time(HOUR)

    with pytest.raises(SecretAccessDenied, match=living):
        world.execute()


def put_back_under_a_new_key(world: TwoGrants, *back: str) -> None:
    """Put dead sets back, and change the key: only AWSCURRENT and AWSPREVIOUS are encrypted anew."""
    for version_id in back:
        world.put_back(version_id)
    change_key(world)
    world.pass_time(HOUR)


@STORES
def test_before_a_consent_the_key_of_what_may_live_is_named(store: ClaimStoreKind) -> None:
    """No claim names the set, and KMS refuses it. Once it can be read, the run names it."""
    world = TwoGrants(store)
    living = world.authorize_b()
    put_back_under_a_new_key(world, world.a1, world.a1)

    for force in (False, True):
        world.endpoint.responses = [REJECTED]
        with pytest.raises(SecretAccessDenied) as raised:
            world.execute(force=force)
        said = str(raised.value)
        assert f"version {living} (label none), but KMS refuses to decrypt it with key" in said
        assert said.index("aws kms enable-key") < said.index("token-refresh authorize")
        assert raised.value.by_key
        world.pass_time(HOUR)

    world.model.refuse(SECRET_ID, "", None)
    with pytest.raises(InvalidSecretDocument, match=f"--version {living}`"):
        world.execute()


@STORES
def test_the_key_of_a_newer_set_is_named_before_an_older_set(store: ClaimStoreKind) -> None:
    """What can be read may be used already, as only the newer set could tell: the key comes first, a consent last."""
    world = TwoGrants(store)
    older = world.authorize_b()
    world.pass_time(MINUTE)
    world.save(refreshToken="c0", issued_at=world.clock.service_now, expires_at=world.clock.service_now + DAY)
    newer = world.labels()[CURRENT]
    world.move_back(older)
    put_back_under_a_new_key(world, world.a1)
    world.endpoint.responses = [REJECTED]  # Of claims in versions, the rejection is under the refused key, too.

    with pytest.raises(InvalidSecretDocument) as raised:
        world.execute()
    said = str(raised.value)
    places = [said.index(part) for part in ("aws kms enable-key", f"--version {older}", "token-refresh authorize")]
    assert sorted(places) == places
    assert f"version {newer} (label none), but KMS refuses" in said


@STORES
@pytest.mark.parametrize("back", ["a0", "a1"])
@pytest.mark.parametrize("readable", ["b0", "b1"])
def test_after_a_key_change_no_used_set_is_named(store: ClaimStoreKind, back: str, readable: str) -> None:
    """KMS refuses all claims and most sets. A set that can still be read, and that a run has used, may not live."""
    world = TwoGrants(store)
    used = {"b0": world.by_command(), "b1": world.refresh("b1")}
    living = world.refresh("b2")
    world.pass_time(MINUTE)  # The copy is the newest.
    world.put_back(used[readable])
    used["copy"] = world.labels()[CURRENT]
    put_back_under_a_new_key(world, getattr(world, back))

    for force in (False, True):
        world.endpoint.responses = [REJECTED]
        with pytest.raises(SecretAccessDenied, match=living) as raised:
            world.execute(force=force)
        assert not [version_id for version_id in used.values() if version_id in str(raised.value)]
        world.pass_time(HOUR)


@STORES
def test_a_false_rejection_heals_beside_an_older_set(store: ClaimStoreKind) -> None:
    """A set that somebody saved lies over any; the provider is asked again as ever, and nothing is published before."""
    world = TwoGrants(store, dies=False)
    world.authorize_b()
    world.pass_time(HOUR)
    assert "fresh" == world.outcome()
    read = world.copied()

    with pytest.raises(InvalidSecretDocument, match=rf"used \(HTTP 400 .*--version {world.a1}`"):
        world.send(REJECTED)
    with pytest.raises(InvalidSecretDocument, match="rejected, revoked or used; nothing was published"):
        world.execute()
    assert read == world.copied()

    world.pass_time(HOUR)
    world.endpoint.responses = [tokens(refresh_token="b1")]
    assert "refreshed" == world.outcome()
    assert "b1" == world.current()["refreshToken"]


@STORES
def test_who_authorized_replaced_what_is_older(store: ClaimStoreKind) -> None:
    """An unused set from before the authorization is no reason to wait: a person is asked for a consent."""
    world = TwoGrants(store, dies=False)
    world.by_command()

    with pytest.raises(ReauthorizationRequired):
        world.send(REJECTED)
    assert world.found() is None


@STORES
def test_a_new_consent_for_the_same_token_is_alive(store: ClaimStoreKind) -> None:
    """A static token comes again with a new consent: what was rejected before says nothing of that."""
    world = TwoGrants(store)
    now = world.clock.service_now + HOUR
    world.pass_time(HOUR)
    place = origin(claim_store=store, grace=timedelta(0), authorized=True, token=mark("a1"))
    world.save(refreshToken="a1", issued_at=now, expires_at=now + DAY, **place)

    assert "fresh" == world.outcome()
    assert not world.run().reader.read().is_dead


@STORES
@pytest.mark.parametrize(("which", "sent"), [("a0", 0), ("a1", 1)])
def test_a_forced_run_sends_a_rejected_token_and_no_used_one(store: ClaimStoreKind, which: str, sent: int) -> None:
    """One rejection may be false. Nothing is published before the provider has taken the token."""
    world = TwoGrants(store)
    world.by_command()
    living = world.refresh("b1")
    read = world.copied()
    world.put_back(getattr(world, which))
    world.endpoint.requests.clear()

    with pytest.raises(InvalidSecretDocument, match=f"--version {living}`"):
        world.send(REJECTED, force=True)

    assert (sent, read) == (len(world.endpoint.requests), world.copied())


@STORES
def test_a_false_rejection_is_put_back_on_purpose(store: ClaimStoreKind) -> None:
    """A living grant that somebody puts back is followed, once the provider takes its token."""
    world = TwoGrants(store)
    world.by_command()
    world.refresh("b1")
    world.move_back(world.a1)

    assert "refreshed" == world.send(tokens(refresh_token="a2"), force=True)
    assert "a2" == world.current()["refreshToken"]
    assert "fresh" == world.outcome()


def rejected(**how: Any) -> Any:
    """The current token was rejected, and another set may be alive."""
    newest = claim(fate=Fate.REJECTED, claimed_at=NOW - 30 * MINUTE, **how)
    return replace(snapshot(newest), is_dead=True, living=LIVING)


def test_before_it_fails_a_run_waits_for_what_may_come() -> None:
    """A read may be old, and a run under way may bring the living set; settings that don't fit are named first."""
    known = rejected()
    young = replace(known, living=replace(LIVING, stored_at=NOW - MINUTE))
    open_claim = claim("c2", token="b1", claimed_at=NOW - MINUTE, earlier=(known.newest,))
    redeemed = replace(known, newest=open_claim, ledger=open_claim.ledger)
    locked = replace(known, living=replace(LIVING, locked=True))

    assert Wait(NOW - MINUTE + SETTLED, Reason.STALE) == plan(young, RUN, policy())
    assert Wait(open_claim.ends_at, Reason.CLAIMED) == plan(redeemed, RUN, policy())
    assert NextTokensUndecryptable("b1") == plan(locked, RUN, policy())
    assert isinstance(plan(known, RUN, policy(host="else.example")), SettingsMismatch)
    assert LivingSetReplaced(LIVING) == plan(known, RUN, policy())


def test_in_a_pause_nobody_is_asked_for_a_consent() -> None:
    """A forced run, or one whose retry is due, would be told to authorize when the pause keeps it back."""
    paused = claim("c2", fate=Fate.PAUSED, version_id="c2", earlier=(rejected().newest,))
    held = rejected(), replace(rejected(), newest=replace(paused, pause=PAUSE), ledger=paused.ledger)

    assert isinstance(next_step(held[0], FORCED, policy()), Redeem)
    assert LivingSetReplaced(LIVING) == next_step(held[1], FORCED, policy())
    assert isinstance(next_step(replace(held[1], living=None), FORCED, policy()), Rejected)


def test_what_leads_to_dead_tokens_is_not_published_at_once() -> None:
    """The list of versions may be old, and lack a set that somebody has just stored: its copy is young."""
    young = PublishedCopy(
        version_id=published_version_id("b0"), stored_at=NOW, content=PublishedContent(source_version_id="b0")
    )
    promoted = replace(RUN, publishes=True, promoted_version="v0")
    good = snapshot(current=token_set(expires_at=NOW + DAY, issued_at=NOW), published=young)

    assert isinstance(plan(good, promoted, policy()), Publish)
    assert not isinstance(plan(replace(good, is_dead=True), promoted, policy()), Publish)
