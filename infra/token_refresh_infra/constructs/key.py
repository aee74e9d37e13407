"""A customer-managed key for what is secret; it stays when the stack is deleted."""

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from token_refresh_infra.common import CREATE

# What CloudWatch Logs asks for, written out where its documentation has wildcards.
_LOGS_MAY = (
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)


class KeptTokensKey(Construct):
    """The claim table's own key, for received tokens that Secrets Manager refuses.

    It is never the key of the secrets: that it can't be used is one of the reasons for a refusal.
    """

    def __init__(self, scope: Construct, construct_id: str, *, table: str) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            description=f"Encrypts OAuth tokens that wait in table {table}",
            enable_key_rotation=True,
            # Without it, tokens that wait in the table are lost.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )


def kept_tokens_key(scope: Construct, choice: str | None, *, table: str) -> str | None:
    """Return the ARN of the key for refused tokens, made or adopted; None where the table keeps none."""
    return KeptTokensKey(scope, "KeptTokensKey", table=table).key.key_arn if choice == CREATE else choice


class SecretKey(Construct):
    """A customer-managed key for the secrets and, where asked for, the logs and the alarms' topic."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: str) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            description=f"Encrypts OAuth token secrets ({environment})",
            enable_key_rotation=True,
            # Without its key, a secret that was kept is lost.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def allow_logs(self, log_group_name: str) -> None:
        """Let CloudWatch Logs encrypt one log group."""
        stack = Stack.of(self)
        group = stack.format_arn(
            service="logs", resource="log-group", resource_name=log_group_name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        self._allow(
            f"logs.{stack.region}.amazonaws.com",
            [f"kms:{name}" for name in _LOGS_MAY],
            {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": group}},
        )

    def allow_messages(self, *, alarms: str) -> None:
        """Let this stack's alarms publish to a topic that the key encrypts, and rules send to a queue of the account.

        EventBridge names neither rule nor account to a key, so its statement asks for what SQS says: the queue. That is
        any of this account and region, since the stack's own queue depends on the key. Who may send to it is in the
        queue's policy, by the rule's own ARN.
        https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html ("not supported for EventBridge")

        Args:
            alarms: The pattern of their ARNs; the stack names them.
        """
        stack, actions = Stack.of(self), ["kms:Decrypt", "kms:GenerateDataKey"]
        account = {"aws:SourceAccount": stack.account}
        self._allow(
            "cloudwatch.amazonaws.com", actions, {"StringEquals": account, "ArnLike": {"aws:SourceArn": alarms}}
        )
        queues = stack.format_arn(service="sqs", resource="*")
        self._allow("events.amazonaws.com", actions, {"ArnLike": {"kms:EncryptionContext:aws:sqs:arn": queues}})

    def _allow(self, service: str, actions: list[str], conditions: dict[str, dict[str, str]]) -> None:
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(service)], actions=actions, resources=["*"], conditions=conditions
            )
        )
