"""A sweep removes all of a prefix and nothing else, from what is there: nobody has to remember it."""

import json
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from account.checks_worker import TAG
from account.removal import PREFIX, remove

REGION = "eu-central-1"
OURS, OTHER = f"{PREFIX}abc123", "token-refresh-prod"


def make_client(service: str, region: str, _credentials: Mapping[str, str] | None = None) -> Any:
    make: Any = boto3.client
    return make(service, region_name=region)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Two of everything: ours, and what is not."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    keys = {}
    with mock_aws():
        for name in (OURS, OTHER):
            key = make_client("kms", REGION).create_key(Tags=[{"TagKey": TAG, "TagValue": name}])["KeyMetadata"]
            keys[name] = key["KeyId"]
            topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
            make_client("cloudformation", REGION).create_stack(StackName=name, TemplateBody=json.dumps(topic))
            make_client("logs", REGION).create_log_group(logGroupName=f"/aws/lambda/{name}-worker")
            secrets = make_client("secretsmanager", REGION)
            secrets.create_secret(Name=f"{name}-tokens", SecretString="{}", AddReplicaRegions=[{"Region": "eu-west-1"}])
            make_client("dynamodb", REGION).create_table(
                TableName=f"{name}-claims",
                BillingMode="PAY_PER_REQUEST",
                DeletionProtectionEnabled=True,
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            )
        yield keys


def there() -> dict[str, list[str]]:
    stacks = make_client("cloudformation", REGION).describe_stacks()["Stacks"]
    groups = make_client("logs", REGION).describe_log_groups()["logGroups"]
    return {
        "stacks": [stack["StackName"] for stack in stacks],
        "secrets": [s["Name"] for s in make_client("secretsmanager", REGION).list_secrets()["SecretList"]],
        "replicas": [s["Name"] for s in make_client("secretsmanager", "eu-west-1").list_secrets()["SecretList"]],
        "tables": make_client("dynamodb", REGION).list_tables()["TableNames"],
        "log groups": [group["logGroupName"] for group in groups],
    }


def test_a_sweep(account: dict[str, str]) -> None:
    """Stacks, replicated secrets, protected tables, log groups and keys of the prefix go; the others stay."""
    said: list[str] = []

    assert remove(make_client, (REGION, "eu-west-1"), PREFIX, said.append)

    assert {
        "stacks": [OTHER],
        "secrets": [f"{OTHER}-tokens"],
        "replicas": [f"{OTHER}-tokens"],
        "tables": [f"{OTHER}-claims"],
        "log groups": [f"/aws/lambda/{OTHER}-worker"],
    } == there()
    states = {
        n: make_client("kms", REGION).describe_key(KeyId=k)["KeyMetadata"]["KeyState"] for n, k in account.items()
    }
    assert {OURS: "PendingDeletion", OTHER: "Enabled"} == states
    assert 5 == len(said)
    assert remove(make_client, (REGION, "eu-west-1"), PREFIX, said.append)
    assert 5 == len(said)


def beside(service: str, of: Any) -> Any:
    """Make clients, but for one service another client."""
    return lambda name, region: of if name == service else make_client(name, region)


@pytest.mark.usefixtures("account")
def test_what_cannot_be_removed_is_named() -> None:
    """A refusal is named with its code alone, the rest is removed, and the sweep isn't complete."""
    said: list[str] = []
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "canary"}}, "DeleteTable")
    tables = Mock(wraps=make_client("dynamodb", REGION))
    tables.delete_table.side_effect = refused

    assert not remove(beside("dynamodb", tables), (REGION,), PREFIX, said.append)

    assert f"not removed: table {OURS}-claims in {REGION} (AccessDeniedException)" in said
    assert [OTHER] == there()["stacks"]
    assert not [line for line in said if "canary" in line]


@pytest.mark.usefixtures("account")
def test_a_stack_that_is_being_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS deletes no stack during an update, so it is waited for; a key that the tags' index lacks yet goes, too."""
    statuses, done = iter(["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"]), []
    monkeypatch.setattr(time, "sleep", lambda _: done.append("waited"))
    key = make_client("kms", REGION).create_key()["KeyMetadata"]["KeyId"]
    made = [
        {"ResourceType": "AWS::KMS::Key", "PhysicalResourceId": key},
        {"ResourceType": "AWS::KMS::Key"},
        {"ResourceType": "AWS::SQS::Queue", "PhysicalResourceId": "queue"},
    ]
    listed = {
        "describe_stacks": {"Stacks": [{"StackName": OURS}]},
        "list_stack_resources": {"StackResourceSummaries": made},
    }
    updated = SimpleNamespace(
        get_paginator=lambda action: SimpleNamespace(paginate=lambda **_: [listed[action]]),
        describe_stacks=lambda **_: {"Stacks": [{"StackStatus": next(statuses)}]},
        delete_stack=lambda **_: done.append("deleted"),
        get_waiter=lambda _: SimpleNamespace(wait=lambda **_: None),
    )

    assert remove(beside("cloudformation", updated), (REGION,), PREFIX, lambda _: None)

    assert ["waited", "waited", "deleted"] == done
    assert "PendingDeletion" == make_client("kms", REGION).describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


@pytest.mark.usefixtures("account")
def test_only_names_with_the_prefix() -> None:
    """What goes begins with the prefix, however a service reads the filter."""
    secrets = make_client("secretsmanager", REGION)
    unfiltered = Mock(wraps=secrets, meta=secrets.meta)
    unfiltered.get_paginator = lambda name: SimpleNamespace(paginate=lambda **_: secrets.get_paginator(name).paginate())

    assert remove(beside("secretsmanager", unfiltered), (REGION,), PREFIX, lambda _: None)

    assert [f"{OTHER}-tokens"] == there()["secrets"]
