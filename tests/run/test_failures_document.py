"""Runs that meet a document that can't be refreshed: it stays as it is."""

import pytest

from builders import HOUR, NOW, SINGLE_USE
from token_refresh.errors import InvalidSecretDocument, InvalidTokenResponse, RefreshOutcomeUnknown
from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.response import TokenResponse
from world import World


def test_a_document_without_room_for_tokens_is_refused_before_anything_is_redeemed() -> None:
    """A document that could not be stored with longer tokens is refused before the claim."""
    world = World(stored=False)
    world.save(note="x" * 50_000)

    with pytest.raises(
        InvalidSecretDocument, match=r"of secret tokens in eu-central-1 has \d+ bytes, which leaves no room"
    ):
        world.execute()
    assert ([], 1) == (world.endpoint.requests, len(world.labels()))


@pytest.mark.parametrize("stored", ["[]", "not json", '{"refreshToken": null}', '{"refreshToken": 7}'])
def test_whatever_is_stored_stays_as_it_is(stored: str) -> None:
    """A document that can't be read is an error, and nothing is claimed, sent or written."""
    world = World(stored=False)
    world.save_text(stored)
    before = world.model.snapshot()

    with pytest.raises(InvalidSecretDocument):
        world.execute()
    assert (before, []) == (world.model.snapshot(), world.endpoint.requests)


def test_a_binary_secret_is_named() -> None:
    """A secret stored as binary is an error that says what to store instead."""
    world = World(stored=False)
    world.save_bytes("AAAA")

    with pytest.raises(InvalidSecretDocument, match="is not a token document: it is binary, and must be text"):
        world.execute()


def test_tokens_over_the_room_that_was_checked_are_named() -> None:
    """A response that does not fit is refused before it is stored, and recorded: no retry sends the token again."""
    world = World(stored=False, policy=SINGLE_USE)
    world.save(note="x" * 48_000, expires_at=NOW + 6 * HOUR)
    world.endpoint.responses = [
        TokenResponse(access_token=SecretValue("y" * 20_000), refresh_token=None, lifetime=None)
    ]

    with pytest.raises(InvalidTokenResponse, match=r"the token document would have \d+ bytes"):
        world.execute()

    assert "yyyy" not in str(world.model.snapshot())
    assert ["refresh_claimed"] == world.log.events
    with pytest.raises(RefreshOutcomeUnknown):
        world.execute()
    assert 1 == len(world.endpoint.requests)
