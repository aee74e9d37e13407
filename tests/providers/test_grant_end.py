"""When a grant ends: as the response says, else as the profile says, else as it was; stored where the tokens are."""

from datetime import UTC, datetime, timedelta

import pytest

from providers.scene import Scene
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, Origin, read_origin

STORED = "2096-12-24T00:00:00Z"


def stored_end(scene: Scene) -> datetime | None:
    origin = read_origin(scene.document())
    assert origin is not None
    return origin.grant_ends_at


def store(scene: Scene) -> None:
    """Store tokens whose grant ends at a time that no response states."""
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "grant_ends_at": STORED}
    scene.store(tokenRefresh=origin)


@pytest.mark.parametrize(
    ("scene", "days"), [("github", 184), ("quickbooks", 101), ("linkedin", 365), ("zoom", 90)], indirect=["scene"]
)
def test_the_end_is_the_response_s_or_the_profile_s(scene: Scene, days: int) -> None:
    """A stated life of the refresh token counts; where none is stated, a new token has the documented one."""
    store(scene)

    assert "refreshed" == scene.run()["outcome"]

    ends_at = stored_end(scene)
    assert ends_at is not None
    assert timedelta(0) <= datetime.now(UTC) + timedelta(days=days) - ends_at < timedelta(minutes=1)


@pytest.mark.parametrize("scene", ["quickbooks"], indirect=True)
def test_a_hard_end_counts_once_it_is_the_earlier_one(scene: Scene) -> None:
    """Five years after the consent QuickBooks' grant ends, although each refresh gets another 100 days."""
    scene.imitation.success["body"]["x_refresh_token_hard_expires_in"] = 7 * 86_400
    scene.store()

    assert "refreshed" == scene.run()["outcome"]

    ends_at = stored_end(scene)
    assert ends_at is not None
    assert timedelta(days=6) < ends_at - datetime.now(UTC) <= timedelta(days=7)


@pytest.mark.parametrize("scene", ["ebay", "netsuite", "google", "dropbox"], indirect=True)
def test_an_end_that_no_refresh_moves_stays(scene: Scene) -> None:
    """Where the life counts from the consent, or nothing is known, a refresh keeps the end that was stored."""
    store(scene)

    assert "refreshed" == scene.run()["outcome"]

    assert datetime(2096, 12, 24, tzinfo=UTC) == stored_end(scene)


@pytest.mark.parametrize(("name", "days"), [("netsuite", 7), ("linkedin", 365), ("upwork", None)])
def test_a_consent_begins_the_grant(name: str, days: int | None) -> None:
    """A fixed life counts from the consent."""
    consent = datetime(2026, 11, 24, 12, 0, 0, 5, tzinfo=UTC)

    found = load_provider(name).refresh_token.ends_at(consent, stated=(), begins=True, store=ClaimStoreKind.VERSIONS)

    expected = None if days is None else datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(days=days)
    assert expected == found


@pytest.mark.parametrize(
    ("lived_days", "left_hours", "ending"),
    [(358, 7 * 24 + 1, False), (358, 7 * 24, True), (5, 48, False), (6, 24, True), (0, 72, False), (None, 72, True)],
)
def test_a_short_grant_ends_soon_in_its_last_quarter(lived_days: int | None, left_hours: int, *, ending: bool) -> None:
    """A grant is ending a week before its end; one of less than four weeks in the last quarter of its life."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    origin = Origin(
        host="h",
        grace=timedelta(0),
        claim_store=IN_VERSIONS,
        grant_ends_at=now + timedelta(hours=left_hours),
        grant_began_at=None if lived_days is None else now - timedelta(days=lived_days),
    )

    assert origin.grant_ending_at is not None
    assert ending is (now >= origin.grant_ending_at)
    assert origin == read_origin({"tokenRefresh": origin.as_fields()})


@pytest.mark.parametrize("began", ["2096-12-25T00:00:00Z", STORED, "soon", None, 7])
def test_a_beginning_that_makes_no_sense_means_a_week(began: object) -> None:
    """Somebody's edit of the beginning changes nothing but the notice."""
    fields = {"host": "h", "grace_seconds": 0, "store": "versions", "grant_ends_at": STORED, "grant_began_at": began}

    origin = read_origin({"tokenRefresh": fields})

    assert origin is not None
    assert datetime(2096, 12, 17, tzinfo=UTC) == origin.grant_ending_at


def test_a_grant_that_each_refresh_prolongs_is_never_ending(scene: Scene) -> None:
    """The provider states three days at each refresh: the last quarter counts from the refresh."""
    scene.imitation.success["body"]["refresh_token_expires_in"] = 3 * 86_400
    now = datetime.now(UTC)
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions"}
    times = {"grant_began_at": now - timedelta(days=30), "grant_ends_at": now + timedelta(days=1)}
    scene.store(tokenRefresh=origin | {name: time.isoformat() for name, time in times.items()})

    assert "refreshed" == scene.run()["outcome"]

    renewed = read_origin(scene.document())
    assert renewed is not None
    assert renewed.grant_ending_at is not None
    assert timedelta(days=2, hours=5) < renewed.grant_ending_at - now < timedelta(days=2, hours=7)


@pytest.mark.parametrize("scene", ["linkedin"], indirect=True)
def test_a_stated_rest_is_the_same_grant(scene: Scene) -> None:
    """LinkedIn states what is left of a grant: its beginning stays, so its last week stays a week."""
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=355)
    ends = began + timedelta(days=365)
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "grant_ends_at": ends.isoformat()}
    scene.store(tokenRefresh=origin | {"grant_began_at": began.isoformat()})
    scene.imitation.success["body"]["refresh_token_expires_in"] = 10 * 86_400

    assert "refreshed" == scene.run()["outcome"]

    renewed = read_origin(scene.document())
    assert renewed is not None
    assert began == renewed.grant_began_at
