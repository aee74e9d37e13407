import json

import pytest

from testbed.builders import DAY, NOW, document, ms
from token_refresh.stored.access_token import read_access_token
from token_refresh_worker.stored.published import published_document


@pytest.mark.parametrize(
    ("fields", "kind", "scope"),
    [
        ({}, "Bearer", None),
        ({"tokenType": "DPoP", "scope": "a b"}, "DPoP", "a b"),
        ({"token_type": "mac"}, "mac", None),
    ],
)
def test_a_published_copy_has_no_refresh_token(fields: dict[str, str], kind: str, scope: str | None) -> None:
    """Consumers get the access token, its expiry, type and scope, and the version that it comes from."""
    copy = published_document(document(expires_at=NOW + DAY, **fields), "version-1")

    expected = {
        "accessToken": "access-0",
        "expiresAt": ms(NOW + DAY),
        "tokenType": kind,
        "scope": scope,
        "sourceVersionId": "version-1",
    }
    assert json.dumps(expected, separators=(",", ":")) == copy.reveal()


def test_a_published_copy_has_what_the_profile_keeps_and_nothing_else() -> None:
    """Only what `tokenRefresh.kept` names is published, whatever else is stored, and no name of the document's own."""
    stored = {"realmId": "9130", "note": "ours", "clientSecret": "hush", "password": "hush"}
    names = ["realmId", "clientSecret", "refreshToken", "gone"]
    origin = {"host": "h", "grace_seconds": 0, "store": "versions", "kept": names}

    copy = published_document(document(expires_at=NOW + DAY, **stored, tokenRefresh=origin), "version-1")

    assert "hush" not in copy.reveal()
    assert "refresh-" not in copy.reveal()
    assert {"realmId": "9130", "tokenRefresh": {"kept": ["realmId"]}}.items() <= json.loads(copy.reveal()).items()
    found = read_access_token(copy, "copy")
    assert found is not None
    assert {"realmId": "9130"} == found.extra
