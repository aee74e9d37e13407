"""A table for claims, for tokens that live too short for claims in the secret. It stays when the stack is deleted."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

KEY = "secret_arn"
"""The attribute that `adapters/table_claims.py` finds an item by."""


class ClaimTable(Construct):
    """One item a secret, with point-in-time recovery; `scripts/deploy` protects it against deletion."""

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, key_arn: str | None, expires_by: str | None = None
    ) -> None:
        super().__init__(scope, construct_id)
        key = kms.Key.from_key_arn(self, "Key", key_arn) if key_arn else None
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=name,
            partition_key=dynamodb.Attribute(name=KEY, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            # No protection against deletion: it would block the rollback of a failed creation. The template leaves it
            # open, and `scripts/deploy` switches it on afterwards.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else dynamodb.TableEncryption.DEFAULT,
            encryption_key=key,
            time_to_live_attribute=expires_by,
        )


def adopted_table_arn(scope: Construct, name: str) -> str:
    """Return the ARN of a table that is there already."""
    return Stack.of(scope).format_arn(service="dynamodb", resource="table", resource_name=name)
