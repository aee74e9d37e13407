"""Version 1: an upgraded worker goes on from what the old one stored."""

import json

import pytest

from builders import NOW, SINGLE_USE, attempt
from run.grant import REJECTED
from run.world import FIRST_CLAIM, World
from token_refresh.errors import ReauthorizationRequired
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Record, write_record
from token_refresh_worker.core.versions import CLAIM, OUTCOME, record_version_id, staged_version_id


def test_an_edited_copy_after_a_version_1_claim_is_not_redeemed_again() -> None:
    """A claim of version 1 has no fingerprint: its version is read to know which token it redeemed."""
    world = World(policy=SINGLE_USE)
    first = world.labels()["AWSCURRENT"]
    old = {"version_id": first, "attempt": 1, "ttl_seconds": 120, "nonce": "n", "earlier": []}
    world.store.put(FIRST_CLAIM, SecretValue(json.dumps(old)), label=CLAIM)
    staged = json.dumps(world.current() | {"refreshToken": "refresh-9", "accessToken": "access-9", "issuedAt": 10**12})
    world.store.put(staged_version_id(FIRST_CLAIM, first), SecretValue(staged), label="AWSPENDING")
    world.save(note="edited")

    world.endpoint.responses = [REJECTED]
    with pytest.raises(ReauthorizationRequired):
        world.execute()
    assert ["refresh-9"] == [request.fields["refresh_token"] for request in world.endpoint.requests]
    assert "edited" == world.current()["note"]


@pytest.mark.parametrize("fate", [Fate.NOT_REDEEMED, Fate.UNKNOWN])
def test_a_record_of_version_1_ends_its_claim(fate: Fate) -> None:
    """An upgraded worker goes on from what the old one recorded."""
    world = World()
    first = world.labels()["AWSCURRENT"]
    old = {"version_id": first, "attempt": 1, "ttl_seconds": 120, "nonce": "n", "earlier": []}
    world.store.put(FIRST_CLAIM, SecretValue(json.dumps(old)), label=CLAIM)
    record = write_record(Record(fate=fate, error=None, recorded_at=NOW), attempt(FIRST_CLAIM, version_id=first))
    world.store.put(record_version_id(FIRST_CLAIM), record, label=OUTCOME)

    assert "refreshed" == world.outcome()
