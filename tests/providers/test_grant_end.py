"""When a grant ends: as the response says, else as the profile says, else as it was; stored where the tokens are."""

from datetime import UTC, datetime, timedelta

import pytest

from providers.scene import Scene
from token_refresh.providers.loader import load_provider
from token_refresh.stored.origin import Origin, read_origin

STORED = "2026-12-24T00:00:00Z"


def stored_end(scene: Scene) -> datetime | None:
    origin = read_origin(scene.document())
    assert origin is not None
    return origin.grant_ends_at


def store(scene: Scene) -> None:
    """Store tokens whose grant ends at a time that no response states."""
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "grant_ends_at": STORED}
    scene.store(tokenRefresh=origin)


@pytest.mark.parametrize(
    ("scene", "days"),
    [("github", 184), ("quickbooks", 101), ("linkedin", 365), ("zoom", 90)],
    indirect=["scene"],
)
def test_the_end_is_the_response_s_or_the_profile_s(scene: Scene, days: int) -> None:
    """A stated life of the refresh token counts; where none is stated, a new token has the documented one."""
    store(scene)

    assert "refreshed" == scene.run()["outcome"]

    ends_at = stored_end(scene)
    assert ends_at is not None
    assert timedelta(0) <= datetime.now(UTC) + timedelta(days=days) - ends_at < timedelta(minutes=1)


@pytest.mark.parametrize("scene", ["ebay", "netsuite", "google", "dropbox"], indirect=True)
def test_an_end_that_no_refresh_moves_stays(scene: Scene) -> None:
    """Where the life counts from the consent, or nothing is known, a refresh keeps the end that was stored."""
    store(scene)

    assert "refreshed" == scene.run()["outcome"]

    assert datetime(2026, 12, 24, tzinfo=UTC) == stored_end(scene)


def test_an_unknown_end_is_none(scene: Scene) -> None:
    """Nothing is made up: Upwork's grants end only if they aren't refreshed."""
    scene.store()

    assert "refreshed" == scene.run()["outcome"]

    assert stored_end(scene) is None


@pytest.mark.parametrize(("name", "days"), [("netsuite", 7), ("linkedin", 365), ("upwork", None)])
def test_a_consent_begins_the_grant(name: str, days: int | None) -> None:
    """A fixed life counts from the consent."""
    consent = datetime(2026, 11, 24, 12, 0, 0, 5, tzinfo=UTC)

    found = load_provider(name).refresh_token.ends_at(consent, stated=None, begins=True)

    expected = None if days is None else datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(days=days)
    assert expected == found


@pytest.mark.parametrize("value", [None, 7, "", "soon", "0001-01-01T00:00:00Z", ["2026-12-24T00:00:00Z"]])
def test_an_end_that_can_t_be_read_is_unknown(value: object) -> None:
    """Somebody's edit of the end must not hide host, grace and claim store."""
    fields = {"host": "example.com", "grace_seconds": 0, "store": "table", "grant_ends_at": value}

    origin = read_origin({"tokenRefresh": fields})

    assert origin is not None
    assert ("example.com", None) == (origin.host, origin.grant_ends_at)


def test_the_end_is_read_as_it_was_written() -> None:
    """What a run stores, the next one reads."""
    stored = read_origin(
        {"tokenRefresh": {"host": "h", "grace_seconds": 0, "store": "versions", "grant_ends_at": STORED}}
    )

    assert isinstance(stored, Origin)
    assert STORED == stored.as_fields()["grant_ends_at"]
