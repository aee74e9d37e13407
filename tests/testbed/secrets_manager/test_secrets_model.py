"""The pure model: snapshots, and refusals that change nothing."""

from typing import Any

import pytest

from testbed.callers.secrets_model import NOW, SECRET, ids, model, put, version_id
from testbed.secrets_manager.limits import ServiceError
from testbed.secrets_manager.model import SecretsModel


def test_equal_states_are_equal_snapshots() -> None:
    """Two ways to one state give equal snapshots with equal hashes, so that a search visits it once."""
    one, other = model(), model()
    put(one, 1, "REFRESH_CLAIM")
    put(one, 2, "AWSPENDING")
    put(other, 1, "REFRESH_CLAIM")
    put(other, 1, "REFRESH_CLAIM")
    put(other, 2, "AWSPENDING")

    assert one.snapshot() == other.snapshot()
    assert hash(one.snapshot()) == hash(other.snapshot())


def test_a_snapshot_is_no_view() -> None:
    """A snapshot stays as it was while the model goes on, and can be gone back to."""
    made = model()
    before = made.snapshot()
    put(made, 1)
    after = made.snapshot()

    made.restore(before)

    assert before != after
    assert before == made.snapshot()
    assert {version_id(0)} == ids(made)


def test_a_restored_model_forgets_new_secrets() -> None:
    """Going back to a snapshot also takes back the secrets that were created since."""
    made = SecretsModel()
    before = made.snapshot()
    made.call("CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(0)}, now=NOW)

    made.restore(before)

    assert made.find(SECRET) is None


def test_no_value_is_in_a_repr() -> None:
    """A printed state shows versions and labels, and no value."""
    made = model()

    assert version_id(0) in repr(made.snapshot())
    assert "canary" not in repr(made.snapshot())


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "another value under a taken version ID": (
        "PutSecretValue",
        {"ClientRequestToken": version_id(0), "SecretString": "canary"},
        "ResourceExistsException",
    ),
    "text under a version ID that has the same bytes": (
        "PutSecretValue",
        {"ClientRequestToken": version_id(0), "SecretBinary": b"canary 0"},
        "ResourceExistsException",
    ),
    "no version ID": ("PutSecretValue", {"SecretString": "canary"}, "InvalidRequestException"),
    "no value": ("PutSecretValue", {"ClientRequestToken": version_id(1)}, "InvalidRequestException"),
    "two values": (
        "PutSecretValue",
        {"ClientRequestToken": version_id(1), "SecretString": "canary", "SecretBinary": b"canary"},
        "InvalidParameterException",
    ),
    "an empty value": (
        "PutSecretValue",
        {"ClientRequestToken": version_id(1), "SecretString": ""},
        "ValidationException",
    ),
    "a value of more bytes than characters": (
        "PutSecretValue",
        {"ClientRequestToken": version_id(1), "SecretString": "\N{EURO SIGN}canary" * 7_283},
        "ValidationException",
    ),
    "no labels at all": (
        "PutSecretValue",
        {"ClientRequestToken": version_id(1), "SecretString": "canary", "VersionStages": []},
        "ValidationException",
    ),
    "a short version ID": (
        "PutSecretValue",
        {"ClientRequestToken": "short", "SecretString": "canary"},
        "ValidationException",
    ),
    "a move of nothing to nowhere": ("UpdateSecretVersionStage", {"VersionStage": "L"}, "InvalidParameterException"),
    "a removal of a label that is nowhere": (
        "UpdateSecretVersionStage",
        {"VersionStage": "L", "RemoveFromVersionId": version_id(0)},
        "InvalidParameterException",
    ),
    "a repeated promotion": (
        "UpdateSecretVersionStage",
        {"VersionStage": "AWSCURRENT", "MoveToVersionId": version_id(0), "RemoveFromVersionId": version_id(9)},
        "InvalidParameterException",
    ),
    "a label on a version that is missing": (
        "UpdateSecretVersionStage",
        {"VersionStage": "L", "MoveToVersionId": version_id(9)},
        "ResourceNotFoundException",
    ),
    "an operation that is not there": ("RotateSecret", {}, "UnknownOperationException"),
}


@pytest.mark.parametrize(("operation", "request_", "code"), REFUSED.values(), ids=REFUSED)
def test_a_refused_call_changes_nothing(operation: str, request_: dict[str, Any], code: str) -> None:
    """A refusal leaves the state as it was, and quotes no value."""
    made = model()
    before = made.snapshot()

    with pytest.raises(ServiceError) as refused:
        made.call(operation, {"SecretId": SECRET} | request_, now=NOW + 60)

    assert code == refused.value.code
    assert "canary" not in str(refused.value)
    assert before == made.snapshot()
