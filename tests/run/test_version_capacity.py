"""Places for new versions: a full secret ends a run before it claims, whoever filled it."""

import json
from datetime import timedelta

import pytest

from run.grant import TABLE, VERSIONS, refused_versions, single_use
from run.world import World, refuse
from testbed.builders import DAY, HOUR, NOW
from token_refresh.errors import SecretAccessDenied, SecretFull, SecretStoreUnavailable
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.pause import Pausing
from token_refresh_worker.core.attempts import Attempt, Fate
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.schedule import CLOCKS_APART
from token_refresh_worker.core.versions import CLAIM, OUTCOME, record_version_id, response_version_id, staged_version_id
from token_refresh_worker.providers.lifetime import VERSIONS_A_CLAIM
from token_refresh_worker.run.version_capacity import LABELS, PLACES, full_until, needed_by_refresh
from token_refresh_worker.stored.origin import ClaimStoreKind

SECOND = timedelta(seconds=1)
HELD = DAY + CLOCKS_APART
OTHERS = 3
"""How many versions something else may store after the look, such as commands that an operator runs in a row."""


def leave_places(world: World, free: int) -> None:
    """Let something else store versions until so many places are free."""
    for number in range(len(world.store.versions()), PLACES - free):
        world.store.put(f"{number:036}", secret(number), label="OTHER")


def secret(number: int) -> SecretValue:
    return SecretValue(f"note {number}")


def versions_of_a_refresh(store: ClaimStoreKind) -> int:
    return VERSIONS_A_CLAIM[store] + OTHERS


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("store", [VERSIONS, TABLE])
def test_a_full_secret_ends_a_run_before_it_claims(store: ClaimStoreKind, *, dry_run: bool) -> None:
    """With a place less than a refresh needs nothing is claimed or sent; the error says until when, and who to ask."""
    world, grant = single_use(store, DAY)
    leave_places(world, versions_of_a_refresh(store) - 1)
    before = world.model.snapshot()

    with pytest.raises(SecretFull, match=r"would have no place until 2026-11-25 12:04:00 UTC; nothing was cl") as full:
        world.execute(dry_run=dry_run)

    assert "`token-refresh history tokens --region eu-central-1`" in str(full.value)
    assert (NOW + HELD, False) == (full.value.retry_at, full.value.needs_person)
    assert NOW + HELD == world.run().outcome(error=full.value).retry_at, "a fleet tries again then"
    assert (0, before) == (grant.refreshes, world.model.snapshot())
    assert world.table is None or not world.table.item


@pytest.mark.parametrize("store", [VERSIONS, TABLE])
def test_a_refresh_takes_the_places_that_it_needs(store: ClaimStoreKind) -> None:
    """With exactly as many places it refreshes, and three are left for what something else stored after the look."""
    world, grant = single_use(store, DAY)
    refused = refused_versions(world)
    leave_places(world, versions_of_a_refresh(store))

    def others() -> None:
        for number in range(OTHERS):
            world.store.put(f"{900 + number:036}", secret(0), label="OTHER")

    with world.at("put REFRESH_OUTCOME", others):
        assert "refreshed" == world.outcome()

    assert (1, []) == (grant.refreshes, refused)


def test_a_caller_who_may_not_list_versions() -> None:
    """It refreshes as if there were places: the daily limit of claims leaves 20."""
    world, grant = single_use(ClaimStoreKind.VERSIONS, DAY)
    world.store.before = refuse("list versions", SecretAccessDenied("no"))

    assert "refreshed" == world.outcome()
    assert 1 == grant.refreshes


def test_versions_that_can_not_be_listed_now() -> None:
    """Where Secrets Manager can't be reached for the list, nothing is claimed, and the next run tries again."""
    world, grant = single_use(ClaimStoreKind.VERSIONS, DAY)
    world.store.before = refuse("list versions", SecretStoreUnavailable("throttled"))

    with pytest.raises(SecretStoreUnavailable):
        world.execute()

    assert (0, False) == (grant.refreshes, CLAIM in world.labels())


def entry(number: int, age: timedelta, *labels: str) -> VersionEntry:
    return VersionEntry(version_id=str(number), labels=frozenset(labels), created_at=NOW - age)


def test_what_takes_a_place() -> None:
    """A version with a label, or younger than a day by any clock; listed twice it is one. The oldest leave first."""
    young = [entry(number, HOUR - number * SECOND) for number in range(PLACES - 3)]
    others = [entry(200, 9 * DAY, "AWSCURRENT"), entry(201, 9 * DAY), entry(202, HELD), *young[:5]]

    assert full_until([*young, *others], NOW, 2) is None
    assert NOW - HOUR + HELD == full_until([*young, *others], NOW, 3)
    assert NOW - HOUR + 2 * SECOND + HELD == full_until([*young, *others], NOW, 5)


def test_a_secret_whose_versions_all_stay() -> None:
    """Where no version will lose its place by its age, the next look is in a day."""
    assert NOW + DAY == full_until([entry(number, DAY, "L") for number in range(PLACES)], NOW, 1)


@pytest.mark.parametrize("store", [VERSIONS, TABLE])
def test_labels_that_are_used_up(store: ClaimStoreKind) -> None:
    """A secret whose 20 labels others took ends a run before it claims; a person must act, so no time is named."""
    world, grant = single_use(store, DAY)
    for number in range(LABELS - 1):
        world.store.put(f"{number:036}", secret(number), label=f"OTHER-{number}")

    with pytest.raises(SecretFull, match=r"have 20 of 20 labels, and [56] must be free; .* Take labels") as full:
        world.execute()

    assert (None, True, 0) == (full.value.retry_at, full.value.needs_person, grant.refreshes)


@pytest.mark.parametrize("store", [VERSIONS, TABLE])
def test_the_label_of_what_arrives(store: ClaimStoreKind) -> None:
    """If the label of new tokens alone is missing, and 20 are there, nothing is sent: the tokens would be refused."""
    world, grant = single_use(store, DAY)
    world.save_text(json.dumps(world.current()))
    Pausing(open=lambda: world.run().parts).pause(HOUR, "maintenance")
    world.pass_time(2 * HOUR)
    for number in range(LABELS - len(world.labels())):
        world.store.put(f"{number:036}", secret(number), label=f"OTHER-{number}")

    with pytest.raises(SecretFull, match=r"have 20 of 20 labels, and 4 must be free"):
        world.execute()

    assert (0, False) == (grant.refreshes, OUTCOME in world.labels())


@pytest.mark.parametrize("store", [VERSIONS, TABLE])
def test_labels_of_the_worker_itself(store: ClaimStoreKind) -> None:
    """Where all its labels are there already, a refresh needs no new one: 20 are no obstacle."""
    world, grant = single_use(store, DAY)
    world.execute()
    for number in range(LABELS - len(world.labels())):
        world.store.put(f"{number:036}", secret(number), label=f"OTHER-{number}")

    assert "refreshed" == world.outcome(force=True)
    assert 2 == grant.refreshes


def test_versions_that_an_old_list_lacks() -> None:
    """Claims are known to be there by the ledger, and so is what each stored, wherever claims are."""
    fates = [Fate(fate) for fate in ("stored", "unknown", "response_kept", "silent", "moved")]
    attempts = [
        Attempt(claim_id=f"c{n}", version_id="v", attempt_number=1, claimed_at=NOW, fingerprint="f", fate=fate)
        for n, fate in enumerate(fates)
    ]

    def known(store: ClaimStoreKind) -> set[str]:
        return {version.version_id for version in needed_by_refresh(store, attempts).stored}

    stored = {staged_version_id("c0", "v"), response_version_id("c2")}
    assert stored == known(TABLE)
    assert stored | {"c0", "c1", "c2", "c3", "c4", record_version_id("c1"), record_version_id("c2")} == known(VERSIONS)
