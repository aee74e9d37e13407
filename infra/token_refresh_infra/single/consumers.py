"""What consumers get: one policy, for stacks that are not written with the CDK, too."""

from aws_cdk import aws_iam as iam
from constructs import Construct

from token_refresh_infra.access import Secrets, grant_read_published, one_replica
from token_refresh_infra.single.parameters import SingleParameters


def read_policy(scope: Construct, published: Secrets, *, parameters: SingleParameters) -> iam.ManagedPolicy:
    """Make a policy that reads the published secret, and its replicas in other regions."""
    policy = iam.ManagedPolicy(scope, "ReadTokens", description=f"Read the tokens of {parameters.stack_name}")
    grant_read_published(policy, published)
    for region, key in parameters.replicas.items():
        replica = one_replica(scope, str(parameters.published_secret_id), region)
        grant_read_published(policy, replica.encrypted_with(key))
    return policy
