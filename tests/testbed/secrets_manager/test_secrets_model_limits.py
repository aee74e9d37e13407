"""The model's limits: on versions, which age, on labels, and on what one answer lists."""

from typing import Any

import pytest

from testbed.callers.secrets_model import NOW, SECRET, ids, model, put, version_id
from testbed.secrets_manager.limits import DAY_SECONDS, ServiceError


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
