"""What every stack has: a name, a place, a tag and outputs."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, DefaultStackSynthesizer, Environment, Fn, Stack, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from token_refresh_infra.common import CommonParameters


class DeployedStack(Stack):
    """A stack where its parameters say."""

    def __init__(self, scope: Construct, construct_id: str, *, parameters: CommonParameters, description: str) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=parameters.stack_name,
            description=description,
            env=Environment(account=parameters.account, region=parameters.region),
        )
        for tag in (f"environment={parameters.environment}", *parameters.tags):
            name, _, value = tag.partition("=")
            Tags.of(self).add(name, value)
        if parameters.permissions_boundary:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(self, "Boundary", parameters.permissions_boundary)
            iam.PermissionsBoundary.of(self).apply(boundary)

    @property
    def deploying_role_arn(self) -> str:
        """Return the role with which CloudFormation changes this stack, as `cdk bootstrap` made it."""
        synthesizer = self.synthesizer
        if not isinstance(synthesizer, DefaultStackSynthesizer):
            raise TypeError(
                "operators: need a stack that the CDK's default synthesizer deploys, as scripts/deploy does"
            )
        return Fn.sub(synthesizer.cloud_formation_execution_role_arn)

    def show(self, outputs: Mapping[str, str | None]) -> None:
        """Write the outputs that have a value."""
        for name, value in outputs.items():
            if value is not None:
                CfnOutput(self, name, value=value)
