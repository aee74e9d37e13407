import json
from collections.abc import Callable
from typing import Any

from deployment.conftest import World
from testbed.aws_lambda.function import SCHEDULED_EVENT
from testbed.emulator import ACCOUNT, REGION, Emulator

Deploy = Callable[..., World]


def test_what_organisations_ask_for(deploy: Deploy, emulator: Emulator) -> None:
    """Bounded roles, a VPC, tags, and a key for messages: a stack with all is created, and its role suffices."""
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = emulator.client("iam")
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(anything))["Policy"]["Arn"]
    network = emulator.client("ec2")
    vpc = network.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = network.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    group = network.create_security_group(VpcId=vpc, GroupName="worker", Description="worker")["GroupId"]

    world = deploy(
        permissions_boundary=boundary,
        vpc_subnets=[subnet],
        vpc_security_groups=[group],
        tags=["team=growth"],
        kms_key="create",
        alarm_email="operator@example.com",
        operators=[f"arn:aws:iam::{ACCOUNT}:role/operators"],
        consumers=[f"arn:aws:iam::{ACCOUNT}:role/consumer"],
    )
    world.authorize(expires_in_seconds=60)

    due, fresh = world.stack.invoke(SCHEDULED_EVENT), world.stack.invoke(SCHEDULED_EVENT)

    assert ("refreshed", "fresh") == (due.get("outcome"), fresh.get("outcome")), (due, fresh)
    assert [200] == [request.status for request in world.endpoint.requests]
    assert "refreshToken" not in world.read("PublishedSecretId")
    made = emulator.client("lambda").get_function_configuration(FunctionName=world.stack.outputs["FunctionName"])
    role: dict[str, Any] = iam.get_role(RoleName=made["Role"].rpartition("/")[2])["Role"]
    assert {"Key": "team", "Value": "growth"} in role["Tags"]


def test_refused_calls_are_noticed(deploy: Deploy) -> None:
    """The deployed rule takes a refused call on the secret, also without parameters, and no other event."""
    world = deploy()
    events: Any = world.stack.emulator.client("events")
    name = world.stack.outputs["TokenSecretId"]
    (rule,) = [r for r in events.list_rules()["Rules"] if name in r["EventPattern"]]

    def matches(**detail: Any) -> bool:
        event: dict[str, Any] = {
            "id": "1",
            "account": ACCOUNT,
            "region": REGION,
            "time": "2026-11-25T00:00:00Z",
            "resources": [],
        }
        event |= {"source": "aws.secretsmanager", "detail-type": "AWS API Call via CloudTrail", "detail": detail}
        response = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))
        return bool(response["Result"])

    refused = f"User: someone is not authorized to perform: secretsmanager:GetSecretValue on resource: {name} because"
    assert matches(errorCode="AccessDenied", requestParameters={"secretId": name})
    assert matches(errorCode="AccessDenied", errorMessage=refused)
    assert not matches(requestParameters={"secretId": name})
    assert not matches(errorCode="AccessDenied", requestParameters={"secretId": "other"}, errorMessage="other")


def test_operators_commands(deploy: Deploy) -> None:
    """A pause holds back what is deployed; repairs reach claim table and consumers; claims go into the table."""
    world = deploy(claim_table="create")
    world.authorize(expires_in_seconds=60)
    tag_as_cloudformation_does(world)
    name = world.stack.outputs["TokenSecretId"]

    world.operate("pause", name, "--for", "2h", "--why", "a test")
    paused = [world.stack.invoke(SCHEDULED_EVENT), world.stack.invoke({"force": True})]
    world.operate("resume", name)
    due = world.stack.invoke(SCHEDULED_EVENT)
    world.operate("refresh", name, "--force")

    assert ["yielded", "yielded"] == [result.get("outcome") for result in paused], paused
    assert "refreshed" == due.get("outcome"), due
    assert [200, 200] == [request.status for request in world.endpoint.requests]
    assert world.read("TokenSecretId")["accessToken"] == world.read("PublishedSecretId")["accessToken"]
    table = world.stack.outputs["ClaimTableName"]
    assert table == world.read("TokenSecretId")["tokenRefresh"]["table"]
    tables: Any = world.stack.emulator.client("dynamodb")
    (item,) = tables.scan(TableName=table, ConsistentRead=True)["Items"]
    assert "claim" in item
    versions = world.store.client().list_secret_version_ids(SecretId=name)["Versions"]
    assert "REFRESH_CLAIM" not in {label for version in versions for label in version.get("VersionStages", ())}


def tag_as_cloudformation_does(world: World) -> None:
    """Give the strict Secrets Manager's secrets the tags that the emulator's CloudFormation gave its own."""
    for output in ("TokenSecretId", "PublishedSecretId"):
        name = world.stack.outputs[output]
        made = world.stack.emulator.client("secretsmanager").describe_secret(SecretId=name)
        world.store.client().tag_resource(SecretId=name, Tags=made["Tags"])
