from uuid import UUID

from token_refresh_worker.core.versions import (
    claim_version_id,
    published_version_id,
    record_version_id,
    staged_version_id,
)


def test_claims_form_one_chain_from_a_fixed_root() -> None:
    """The first claim of every secret has the same ID, and each next one depends on the one before."""
    first = claim_version_id(None)

    assert first == claim_version_id(None)
    assert first != claim_version_id(first)
    assert claim_version_id(first) != claim_version_id(claim_version_id(first))


def test_each_role_has_ids_of_its_own() -> None:
    """No two roles derive the same version ID from the same predecessor."""
    ids = {
        claim_version_id("x"),
        record_version_id("x"),
        published_version_id("x"),
        staged_version_id("x", "v0"),
        staged_version_id("x", "v1"),
        staged_version_id("v0", "x"),
    }

    assert 6 == len(ids)


def test_ids_are_what_secrets_manager_takes() -> None:
    """A derived version ID is a UUIDv5: 36 characters, within ClientRequestToken's 32 to 64."""
    derived = [claim_version_id(None), record_version_id("c"), staged_version_id("c", "v"), published_version_id("v")]

    assert [(36, 5)] * 4 == [(len(i), UUID(i).version) for i in derived]


def test_ids_do_not_change_between_releases() -> None:
    """Deployed secrets hold these IDs: an upgrade that derived others would not find their claims."""
    assert "0a93b4be-e3ea-517d-8090-538792f50186" == claim_version_id(None)
    assert "7267f9b7-d4f9-5a0b-8750-577cd6c93551" == claim_version_id(claim_version_id(None))
