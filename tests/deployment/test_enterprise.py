import json
from collections.abc import Callable
from typing import Any

from deployment.conftest import World
from testbed.aws_lambda.function import SCHEDULED_EVENT
from testbed.emulator import ACCOUNT, Emulator


def test_what_organisations_ask_for(deploy: Callable[..., World], emulator: Emulator) -> None:
    """Bounded roles, a VPC, tags, and a key for messages: a stack with all of them is created, and its worker works.

    The emulator's CloudFormation takes boundary and VPC, and its services have neither; its queues refuse who comes
    without TLS. tests/infra/test_enterprise.py checks the template.
    """
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
        operators=[f"arn:aws:iam::{ACCOUNT}:role/operators"],
        consumers=[f"arn:aws:iam::{ACCOUNT}:role/consumer"],
    )
    world.authorize(expires_in_seconds=60)

    ended = world.stack.invoke(SCHEDULED_EVENT)
    assert "refreshed" == ended.get("outcome"), ended
    made = emulator.client("lambda").get_function_configuration(FunctionName=world.stack.outputs["FunctionName"])
    role: dict[str, Any] = iam.get_role(RoleName=made["Role"].rpartition("/")[2])["Role"]
    assert {"Key": "team", "Value": "growth"} in role["Tags"]
