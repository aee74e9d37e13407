"""What consumers get: one policy, for stacks that are not written with the CDK, too."""

from aws_cdk import aws_iam as iam
from constructs import Construct

from token_refresh_infra.access import (
    Secrets,
    grant_read,
    grant_read_published,
    one_replica,
    one_secret,
    secrets_under,
)
from token_refresh_infra.constructs.nag import acknowledge
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_worker.run import permissions


def read_policy(
    scope: Construct, published: Secrets | None, token: Secrets, *, parameters: SingleParameters, key_arn: str | None
) -> iam.ManagedPolicy | None:
    """Make a policy that reads the published secret, its replicas in other regions, and families of other secrets."""
    if published is None and not parameters.read_under:
        return None
    policy = iam.ManagedPolicy(scope, "ReadTokens", description=f"Read the tokens of {parameters.stack_name}")
    if published is not None:
        grant_read_published(policy, published)
    for region, key in parameters.replicas.items():
        replica = one_replica(scope, str(parameters.published_secret_id), region)
        grant_read_published(policy, replica.encrypted_with(key))
    if parameters.read_under:
        which = secrets_under(scope, *parameters.read_under).encrypted_with(key_arn, *parameters.previous_kms_keys)
        # The previous version, too: a signing secret is accepted for a while after its rotation.
        grant_read(policy, which, labels=("AWSCURRENT", "AWSPREVIOUS"))
        for arn in which.arns:
            acknowledge(policy, f"IAM5[Resource::{arn}]", "A family of secrets, by the prefix of their names")
        policy.add_statements(_keep_closed(scope, token, parameters.client_secret_id))
    return policy


def _keep_closed(scope: Construct, token: Secrets, client_secret_id: str | None) -> iam.PolicyStatement:
    """Refuse what only the worker reads, also where its name begins as a family does: `upwork-oauth-tokens`."""
    client = one_secret(scope, client_secret_id).arns if client_secret_id else ()
    return iam.PolicyStatement(
        effect=iam.Effect.DENY, actions=list(permissions.READ_ACTIONS), resources=[*token.arns, *client]
    )
