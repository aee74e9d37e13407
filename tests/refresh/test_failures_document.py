"""Runs that meet a document that can't be refreshed: it stays as it is."""

import pytest

from token_refresh.errors import InvalidSecretDocument
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
