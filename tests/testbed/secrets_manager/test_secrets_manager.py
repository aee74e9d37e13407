"""What the proof needs of the strict Secrets Manager beyond `tests/conformance`: snapshots, quota, stale reads."""

from typing import Any

import pytest

from testbed.aws.errors import ServiceError
from testbed.secrets_manager.model import SecretsModel
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.secrets_manager.staleness import Staleness

NOW = 1_790_000_000.0
DAY = 86_400


def version_id(number: int) -> str:
    return f"{number:032}"


def model(**options: Any) -> SecretsModel:
    """A model with one secret that has one version, number 0."""
    made = SecretsModel(**options)
    request = {"Name": "tokens", "ClientRequestToken": version_id(0), "SecretString": "canary 0"}
    made.call("CreateSecret", request, now=NOW)
    return made


def put(made: SecretsModel, number: int, *labels: str, now: float = NOW) -> None:
    request = {"SecretId": "tokens", "ClientRequestToken": version_id(number), "SecretString": f"canary {number}"}
    made.call("PutSecretValue", request | ({"VersionStages": list(labels)} if labels else {}), now=now)


def versions(made: SecretsModel) -> list[int]:
    secret = made.find("tokens")
    assert secret is not None
    return [int(version.version_id) for version in secret.versions]


def test_a_full_secret_refuses_new_versions() -> None:
    """Within a day the version above the quota is refused, and the state stays as it was."""
    made = model(quota=4)
    for number in range(1, 4):
        put(made, number, "A")
    before = made.snapshot()

    with pytest.raises(ServiceError) as refused:
        put(made, 4, "A", now=NOW + DAY - 1)

    assert ("LimitExceededException", before) == (refused.value.code, made.snapshot())


def test_old_versions_without_labels_make_room() -> None:
    """After a day the oldest version without a label goes; labelled ones stay for ever, young ones for a day."""
    made = model(quota=4)
    for number in range(1, 4):
        put(made, number, "A")
    put(made, 4, "A", now=NOW + DAY)
    assert [0, 2, 3, 4] == versions(made)

    put(made, 5, "B", now=NOW + 2 * DAY)

    assert [0, 3, 4, 5] == versions(made)


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("PutSecretValue", {"ClientRequestToken": version_id(0), "SecretString": "x"}, "ResourceExistsException"),
        ("PutSecretValue", {"ClientRequestToken": version_id(1)}, "InvalidRequestException"),
        ("UpdateSecretVersionStage", {"VersionStage": "L"}, "InvalidParameterException"),
        ("RotateSecret", {}, "UnknownOperationException"),
    ],
    ids=["taken version ID", "no value", "a move to nowhere", "unknown operation"],
)
def test_a_refused_call_changes_nothing(operation: str, request_: dict[str, Any], code: str) -> None:
    """A refusal leaves the state as it was, and quotes no value."""
    made = model()
    before = made.snapshot()

    with pytest.raises(ServiceError) as refused:
        made.call(operation, {"SecretId": "tokens"} | request_, now=NOW + 60)

    assert (code, before) == (refused.value.code, made.snapshot())
    assert "canary" not in str(refused.value)


def test_reads_are_stale_back_and_forth(server: SecretsManagerServer, client: Any) -> None:
    """Where it is asked for, reads give the present or one of the last states, in any order, and writes don't."""
    server.staleness = Staleness(writes=2, seconds=30, seed=1)
    for number in range(1, 4):
        put_by(client, number)

    seen = [client.get_secret_value(SecretId="tokens")["VersionId"] for _ in range(40)]

    assert {version_id(1), version_id(2), version_id(3)} == set(seen)
    assert seen != sorted(seen)
    with pytest.raises(client.exceptions.ResourceExistsException):
        client.put_secret_value(SecretId="tokens", ClientRequestToken=version_id(3), SecretString="other")


def test_staleness_has_a_bound(server: SecretsManagerServer, client: Any) -> None:
    """A version that was just stored may not be found; a state replaced longer ago than the bound is never seen."""
    server.staleness = Staleness(writes=8, seconds=30, likelihood=1.0)
    put_by(client, 1)

    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId="tokens", VersionId=version_id(1))
    assert 1 == server.staleness.reads
    server.clock_offset_seconds += 31
    assert version_id(1) == client.get_secret_value(SecretId="tokens")["VersionId"]


def put_by(client: Any, number: int) -> None:
    client.put_secret_value(SecretId="tokens", ClientRequestToken=version_id(number), SecretString="canary")


def test_secrets_are_listed_by_prefix(server: SecretsManagerServer, client: Any) -> None:
    """Filters match prefixes of names, tag keys and tag values; deleted secrets are left out, and pages end."""
    for name, fleet in (("a", "prod"), ("b", "prod-2"), ("c", "dev"), ("d", "prod")):
        client.create_secret(Name=name, Tags=[{"Key": "token-refresh:fleet", "Value": fleet}])
    client.delete_secret(SecretId="d")

    def listed(**filters: str) -> list[str]:
        asked = [{"Key": key.replace("_", "-"), "Values": [value]} for key, value in filters.items()]
        pages = client.get_paginator("list_secrets").paginate(Filters=asked, PaginationConfig={"PageSize": 1})
        return [secret["Name"] for page in pages for secret in page["SecretList"]]

    assert ["a", "b"] == listed(tag_key="token-refresh:fleet", tag_value="prod")
    assert ["c"] == listed(name="c")
    for wrong in ({"Filters": [{"Key": "description", "Values": ["x"]}]}, {"MaxResults": 101}):
        with pytest.raises(client.exceptions.InvalidParameterException):
            client.list_secrets(**wrong)
    assert server.region in client.list_secrets()["SecretList"][0]["ARN"]
