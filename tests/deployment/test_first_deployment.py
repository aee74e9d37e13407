import copy
import uuid
from pathlib import Path
from typing import Any

import pytest

from protect import protect_tables
from testbed.emulator import ACCOUNT, REGION, Emulator, Stack
from testbed.synthesis import Synthesis, synthesise

STAYS = ("AWS::SecretsManager::Secret", "AWS::KMS::Key", "AWS::DynamoDB::Table")


@pytest.fixture
def deployment(code: Path) -> Synthesis:
    """Everything that stays when its stack is deleted."""
    place = {"environment": f"t{uuid.uuid4().hex[:8]}", "account": ACCOUNT, "region": REGION, "app": "test"}
    return synthesise(place | {"kms_key": "create", "claim_table": "create"}, code)


def test_a_failed_creation_leaves_nothing(emulator: Emulator, deployment: Synthesis, code: Path) -> None:
    """A first deployment that fails leaves no secret, no table and no usable key, and the next one succeeds."""
    name = deployment.parameters.stack_name
    failing = copy.deepcopy(deployment.template)
    made = [i for i, r in failing["Resources"].items() if r["Type"] in STAYS]
    twice = [{"Key": "twice", "Value": value} for value in "ab"]
    failing["Resources"]["Fails"] = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}, "Tags": twice},
        "DependsOn": made,
    }
    keys_before = usable_keys(emulator)

    with pytest.raises(AssertionError):
        Stack(emulator=emulator, name=name, template=failing).create(code)

    cloudformation = emulator.client("cloudformation")
    assert "ROLLBACK_COMPLETE" == cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    created = {e["LogicalResourceId"] for e in events if e["ResourceStatus"] == "CREATE_COMPLETE"}
    assert set(made) <= created
    assert [] == [s["Name"] for s in emulator.client("secretsmanager").list_secrets()["SecretList"] if name_of(s, name)]
    assert f"{name}-claims" not in emulator.client("dynamodb").list_tables()["TableNames"]
    assert keys_before == usable_keys(emulator)
    cloudformation.delete_stack(StackName=name)
    Stack(emulator=emulator, name=name, template=deployment.template).create(code)


def name_of(secret: dict[str, Any], stack_name: str) -> bool:
    return stack_name.removeprefix("token-refresh-").replace("-", "/", 1) in secret["Name"]


def usable_keys(emulator: Emulator) -> set[str]:
    kms = emulator.client("kms")
    ids = {key["KeyId"] for key in kms.list_keys()["Keys"]}
    return {key for key in ids if "Enabled" == kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]}


def test_the_table_of_a_deployment_is_protected(
    emulator: Emulator, deployment: Synthesis, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a deployment the table is protected; secrets, key and table outlive the stack, and no function does."""
    stack = Stack(emulator=emulator, name=deployment.parameters.stack_name, template=deployment.template).create(code)
    table = stack.outputs["ClaimTableName"]
    for name, value in {"ACCESS_KEY_ID": ACCOUNT, "SECRET_ACCESS_KEY": "test", "ENDPOINT_URL": emulator.url}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # It keeps the credentials of the first client in this process.

    assert [[table], []] == [protect_tables([stack.name], REGION) for _ in range(2)]

    dynamodb = emulator.client("dynamodb")
    with pytest.raises(dynamodb.exceptions.ClientError, match="protect"):
        dynamodb.delete_table(TableName=table)
    stack.delete()
    assert "ACTIVE" == dynamodb.describe_table(TableName=table)["Table"]["TableStatus"]
    for secret in (stack.outputs["TokenSecretId"], stack.outputs["PublishedSecretId"]):
        assert secret == emulator.client("secretsmanager").describe_secret(SecretId=secret)["Name"]
    assert stack.outputs["KeyArn"].rpartition("/")[2] in usable_keys(emulator)
    functions = [function["FunctionName"] for function in emulator.client("lambda").list_functions()["Functions"]]
    assert stack.outputs["FunctionName"] not in functions
