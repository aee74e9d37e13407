"""Functions in subnets of a VPC that is there already."""

from collections.abc import Sequence
from typing import cast

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from token_refresh_infra.constructs.nag import acknowledge

_INTERFACE_ACTIONS = tuple(
    f"ec2:{name}"
    for name in (
        "AssignPrivateIpAddresses",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSubnets",
        "UnassignPrivateIpAddresses",
    )
)
"""What Lambda does with a function's role to connect it; none of it knows a resource that exists before."""


def put_into_vpc(
    scope: Construct, function: lambda_.Function, role: iam.Role, *, subnets: Sequence[str], groups: Sequence[str]
) -> None:
    """Connect a function to subnets. Lambda may make the interfaces with its role; the function's own code may not."""
    if not subnets:
        return
    made = cast("lambda_.CfnFunction", function.node.default_child)
    made.vpc_config = lambda_.CfnFunction.VpcConfigProperty(subnet_ids=list(subnets), security_group_ids=list(groups))
    role.add_to_principal_policy(iam.PolicyStatement(actions=list(_INTERFACE_ACTIONS), resources=["*"]))
    acknowledge(role, "IAM5[Resource::*]", "Lambda's actions on network interfaces, and X-Ray's, know no resource")
    refusal = iam.PolicyStatement(
        effect=iam.Effect.DENY,
        actions=list(_INTERFACE_ACTIONS),
        resources=["*"],
        conditions={"ArnEquals": {"lambda:SourceFunctionArn": function.function_arn}},
    )
    iam.Policy(scope, "NoInterfacesFromTheWorker", statements=[refusal], roles=[role])
