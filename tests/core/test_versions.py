from collections.abc import Callable

import pytest

from token_refresh_worker.core.versions import (
    claim_version_id,
    moved_version_id,
    published_version_id,
    record_version_id,
    redirect_version_id,
    response_version_id,
    revoked_version_id,
    staged_version_id,
    unheld_claim_id,
)


@pytest.mark.parametrize(
    ("expected", "derive", "given"),
    [
        ("0a93b4be-e3ea-517d-8090-538792f50186", claim_version_id, [None]),
        ("7267f9b7-d4f9-5a0b-8750-577cd6c93551", claim_version_id, ["0a93b4be-e3ea-517d-8090-538792f50186"]),
        ("41656059-495a-573e-969b-509d2731f94f", staged_version_id, ["c1", "v0"]),
        ("d9b48dab-7430-5665-a219-0baab0ea3562", record_version_id, ["c1"]),
        ("c20d3130-5a2d-5db9-bdd4-33c4883263db", published_version_id, ["v0"]),
        ("fd7f1dc5-4f6d-540c-963b-534c75ac0025", unheld_claim_id, ["n"]),
        ("1667bab3-c293-55a3-9577-b624d1f8b978", moved_version_id, ["c2", "v0"]),
        ("5a4f28e0-2bbd-5da0-a570-1da815a9534d", revoked_version_id, ["c1", "v0"]),
        ("877081ea-782c-5262-9ffe-00bb333862f6", response_version_id, ["c1"]),
        ("5a1154a3-8020-5e6d-a66f-42db750e4cee", redirect_version_id, ["s"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_ids_do_not_change_between_releases(expected: str, derive: Callable[..., str], given: list[str | None]) -> None:
    """Deployed secrets hold these IDs, and two releases may run at once: otherwise both would claim.

    No two roles derive the same one, and each is one that `ClientRequestToken` takes (32 to 64 characters).
    """
    assert expected == derive(*given)
