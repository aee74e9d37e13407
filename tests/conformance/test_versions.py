"""Versions: a put with a taken version ID is a compare-and-append, and a version never changes."""

from email.utils import parsedate_to_datetime
from functools import partial

import pytest
from botocore.exceptions import ParamValidationError

from conformance.actions import all_at_once, holders, move, new_id, put, refusal, value_by_id, value_by_label
from conformance.backends import Backend


@pytest.mark.parametrize(
    "labels",
    [
        ("REFRESH_CLAIM",),
        (),
        pytest.param(("AWSPENDING",), marks=pytest.mark.moto_differs("overwrites a version labelled AWSPENDING")),
    ],
    ids=["a label of our own", "no label given", "AWSPENDING"],
)
def test_a_taken_version_id_is_refused(backend: Backend, secret: str, labels: tuple[str, ...]) -> None:
    """A put under a taken version ID with another value is refused; the stored value stays, and each label, too."""
    version_id = put(backend.client, secret, "ours", *labels)
    put(backend.client, secret, "newer", "REFRESH_CLAIM")
    before = holders(backend.client, secret)

    with refusal() as refused:
        put(backend.client, secret, "theirs", *labels, version_id=version_id)

    assert ("ResourceExistsException", 400) == (refused.code, refused.status)
    assert "ours" == value_by_id(backend.client, secret, version_id)
    assert before == holders(backend.client, secret)


def test_an_equal_put_changes_nothing(backend: Backend, secret: str) -> None:
    """An equal put succeeds, so a lost reply can be asked for again, and takes no label back from a later put."""
    version_id = put(backend.client, secret, "ours", "REFRESH_CLAIM")
    newer = put(backend.client, secret, "newer", "REFRESH_CLAIM")

    put(backend.client, secret, "ours", "REFRESH_CLAIM", version_id=version_id)

    assert newer == holders(backend.client, secret)["REFRESH_CLAIM"]
    assert "newer" == value_by_label(backend.client, secret, "REFRESH_CLAIM")
    assert "ours" == value_by_id(backend.client, secret, version_id)


@pytest.mark.moto_varies("does not handle one call at a time")
def test_one_of_many_writers_gets_a_version_id(backend: Backend, secret: str) -> None:
    """Of 16 writers that put different values under one version ID at once, one succeeds and its value is stored."""
    version_id = new_id()
    values = [f"writer {number}" for number in range(16)]
    writers = [partial(put, backend.client, secret, value, "REFRESH_CLAIM", version_id=version_id) for value in values]

    outcomes = all_at_once(writers)

    assert ["ResourceExistsException"] * 15 + ["ok"] == sorted(outcomes)
    assert values[outcomes.index("ok")] == value_by_id(backend.client, secret, version_id)


def test_a_missing_version_is_named(backend: Backend, secret: str) -> None:
    """A read of a missing version, or by a label that is elsewhere, is told from a read of a missing secret."""
    version_id, claim = new_id(), put(backend.client, secret, "claim", "REFRESH_CLAIM")

    with refusal() as missing:
        value_by_id(backend.client, secret, version_id)
    with refusal() as elsewhere:
        backend.client.get_secret_value(SecretId=secret, VersionId=claim, VersionStage="AWSCURRENT")

    assert ["ResourceNotFoundException", "InvalidRequestException"] == [missing.code, elsewhere.code]
    assert f"Secrets Manager can't find the specified secret value for VersionId: {version_id}" == missing.message


def test_the_length_of_a_version_id(backend: Backend, secret: str) -> None:
    """A version ID below 32 characters is refused by boto3 itself, and one above 64 by the service."""
    with pytest.raises(ParamValidationError):
        put(backend.client, secret, "value", version_id="short")
    with refusal() as refused:
        put(backend.client, secret, "value", version_id="x" * 65)

    assert refused.code in {"ValidationException", "InvalidParameterException"}


def test_64_kib_fit(backend: Backend, secret: str) -> None:
    """A value of 65,536 bytes is stored whole."""
    value = "x" * 65_536

    version_id = put(backend.client, secret, value)

    assert value == value_by_id(backend.client, secret, version_id)


@pytest.mark.moto_differs("has no limit on the size of a value")
def test_more_than_64_kib_is_refused(backend: Backend, secret: str) -> None:
    """A value of 65,537 bytes is refused, nothing is stored, and the refusal doesn't quote it."""
    with refusal() as refused:
        put(backend.client, secret, "x" * 65_537)

    assert refused.code in {"ValidationException", "InvalidParameterException", "LimitExceededException"}
    assert "xxx" not in refused.message
    assert "first" == value_by_label(backend.client, secret, "AWSCURRENT")


@pytest.mark.parametrize("times", [5])
def test_a_read_sees_the_write_before_it(backend: Backend, secret: str, times: int) -> None:
    """A read right after a write sees it; in an account it may not, which is a stale read, and no defect of ours."""
    for number in range(times):
        version_id = put(backend.client, secret, f"claim {number}", "REFRESH_CLAIM")

        assert f"claim {number}" == value_by_id(backend.client, secret, version_id)
        assert f"claim {number}" == value_by_label(backend.client, secret, "REFRESH_CLAIM")


def test_the_service_tells_its_time(backend: Backend, secret: str) -> None:
    """The Date header and a version's CreatedDate come from one clock, and no move of a label changes the latter."""
    version_id = put(backend.client, secret, "tokens", "AWSPENDING")

    before = backend.client.get_secret_value(SecretId=secret, VersionId=version_id)
    move(backend.client, secret, "AWSCURRENT", to=version_id, away_from=holders(backend.client, secret)["AWSCURRENT"])
    move(backend.client, secret, "AWSPENDING", away_from=version_id)
    after = backend.client.get_secret_value(SecretId=secret, VersionId=version_id)

    date = parsedate_to_datetime(before["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert abs((date - before["CreatedDate"]).total_seconds()) < 30
    assert before["CreatedDate"] == after["CreatedDate"]


def test_a_refusal_tells_the_time_too(backend: Backend) -> None:
    """A refusal has the Date header, so that a run knows the time before it has read any version."""
    with refusal() as refused:
        backend.client.get_secret_value(SecretId="token-refresh-conformance-missing")

    assert refused.headers is not None
    assert parsedate_to_datetime(refused.headers["date"]).year >= 2026


@pytest.mark.moto_differs("lists versions without labels unasked")
def test_versions_without_labels_are_listed_on_demand(backend: Backend, secret: str) -> None:
    """ListSecretVersionIds shows the versions without labels only where they are asked for."""
    older = put(backend.client, secret, "older claim", "REFRESH_CLAIM")
    newer = put(backend.client, secret, "newer claim", "REFRESH_CLAIM")

    def listed(*, deprecated: bool) -> set[str]:
        response = backend.client.list_secret_version_ids(SecretId=secret, IncludeDeprecated=deprecated)
        return {version["VersionId"] for version in response["Versions"]} & {older, newer}

    assert {older, newer} == listed(deprecated=True)
    assert {newer} == listed(deprecated=False)
