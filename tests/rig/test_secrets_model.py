"""The pure model: snapshots, refusals that change nothing, and the limits that only a clock reaches."""

import uuid
from typing import Any

import pytest

from rig.secrets_limits import DAY_SECONDS, ServiceError
from rig.secrets_model import SecretsModel

NOW = 1_790_000_000.0
SECRET = "tokens"


def version_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def model() -> SecretsModel:
    """A model with one secret that has one version, number 0."""
    made = SecretsModel()
    made.call(
        "CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(0), "SecretString": "canary 0"}, now=NOW
    )
    return made


def put(made: SecretsModel, number: int, *labels: str, now: float = NOW, value: str | None = None) -> None:
    request = {
        "SecretId": SECRET,
        "ClientRequestToken": version_id(number),
        "SecretString": value or f"canary {number}",
    }
    made.call("PutSecretValue", request | ({"VersionStages": list(labels)} if labels else {}), now=now)


def ids(made: SecretsModel) -> set[str]:
    listed = made.call("ListSecretVersionIds", {"SecretId": SECRET, "IncludeDeprecated": True}, now=NOW)
    return {version["VersionId"] for version in listed["Versions"]}


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


def test_a_full_secret_refuses_new_versions() -> None:
    """The 101st version within a day is refused, and the state stays as it was."""
    made = model()
    for number in range(1, 100):
        put(made, number, "REFRESH_CLAIM")
    before = made.snapshot()

    with pytest.raises(ServiceError) as refused:
        put(made, 100, "REFRESH_CLAIM", now=NOW + DAY_SECONDS - 1)

    assert "LimitExceededException" == refused.value.code
    assert before == made.snapshot()


def test_old_versions_without_labels_make_room() -> None:
    """After a day, the oldest version without labels goes where the 101st comes; one with a label stays for ever."""
    made = model()
    for number in range(1, 100):
        put(made, number, "REFRESH_CLAIM")

    put(made, 100, "REFRESH_CLAIM", now=NOW + DAY_SECONDS)

    assert {version_id(number) for number in range(101)} - {version_id(1)} == ids(made)


def test_young_versions_are_never_pruned() -> None:
    """Versions younger than a day stay, however many older ones there were."""
    made = model()
    for number in range(1, 60):
        put(made, number, "REFRESH_CLAIM")
    for number in range(60, 120):
        put(made, number, "REFRESH_CLAIM", now=NOW + DAY_SECONDS)

    assert {version_id(number) for number in range(60, 120)} <= ids(made)
    assert version_id(0) in ids(made)
    assert 100 == len(ids(made))


def test_a_moved_label_counts_towards_the_limit() -> None:
    """The 21st label is refused to a move as it is to a put."""
    made = model()
    put(made, 1, *(f"LABEL_{number}" for number in range(19)))
    before = made.snapshot()

    with pytest.raises(ServiceError) as refused:
        made.call(
            "UpdateSecretVersionStage",
            {"SecretId": SECRET, "VersionStage": "LABEL_19", "MoveToVersionId": version_id(1)},
            now=NOW,
        )

    assert "LimitExceededException" == refused.value.code
    assert before == made.snapshot()


def test_creating_a_secret_again_is_a_repeat() -> None:
    """A creation whose reply was lost can be sent again, with the same version ID and value."""
    made = model()
    before = made.snapshot()

    again = made.call(
        "CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(0), "SecretString": "canary 0"}, now=NOW + 1
    )

    assert version_id(0) == again["VersionId"]
    assert before == made.snapshot()


def test_a_recreated_secret_has_another_arn() -> None:
    """A secret that was deleted and created again is another one, under the same name."""
    made = model()
    first = made.call("DeleteSecret", {"SecretId": SECRET, "ForceDeleteWithoutRecovery": True}, now=NOW)["ARN"]

    second = made.call("CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(0)}, now=NOW + 1)["ARN"]

    assert first[:-6] == second[:-6]
    assert first != second
    assert made.find(first) is None


def test_a_name_is_kept_until_its_secret_is_gone() -> None:
    """The name of a secret that is scheduled for deletion is not free."""
    made = model()
    made.call("DeleteSecret", {"SecretId": SECRET}, now=NOW)

    with pytest.raises(ServiceError) as refused:
        made.call("CreateSecret", {"Name": SECRET, "ClientRequestToken": version_id(1)}, now=NOW)

    assert "InvalidRequestException" == refused.value.code
    assert NOW == made.call("DescribeSecret", {"SecretId": SECRET}, now=NOW)["DeletedDate"]


@pytest.mark.parametrize("name", ["", "with space", "semi;colon", "x" * 513])
def test_a_bad_name_is_refused(name: str) -> None:
    """A secret's name has 1 to 512 letters, digits and -/_+=.@! only."""
    with pytest.raises(ServiceError) as refused:
        SecretsModel().call("CreateSecret", {"Name": name, "ClientRequestToken": version_id(0)}, now=NOW)

    assert "ValidationException" == refused.value.code


def test_a_long_list_comes_in_pages() -> None:
    """Versions are listed in pages, each version once."""
    made = model()
    for number in range(1, 7):
        put(made, number, "REFRESH_CLAIM")
    request: dict[str, Any] = {"SecretId": SECRET, "IncludeDeprecated": True, "MaxResults": 3}

    pages = [made.call("ListSecretVersionIds", request, now=NOW)]
    while "NextToken" in pages[-1]:
        pages.append(made.call("ListSecretVersionIds", request | {"NextToken": pages[-1]["NextToken"]}, now=NOW))

    assert [3, 3, 1] == [len(page["Versions"]) for page in pages]
    assert 7 == len({version["VersionId"] for page in pages for version in page["Versions"]})


def test_a_batch_has_limits() -> None:
    """A batch names 1 to 20 secrets."""
    for secret_ids in ([], [SECRET] * 21):
        with pytest.raises(ServiceError) as refused:
            model().call("BatchGetSecretValue", {"SecretIdList": secret_ids}, now=NOW)

        assert "InvalidParameterException" == refused.value.code
