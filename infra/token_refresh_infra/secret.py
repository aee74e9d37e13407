"""A secret that is created empty, and the key that may encrypt it; both stay when the stack goes."""

from aws_cdk import Acknowledgment, ArnFormat, CfnTag, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from token_refresh_infra.access import Secrets, one_secret

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


class EmptySecret(Construct):
    """A secret without a value: `token-refresh authorize` stores the first one, so that no template ever holds one.

    Written as the plain resource, since the CDK's own `Secret` would have a random value generated.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, description: str, environment: str, key: str | None
    ) -> None:
        super().__init__(scope, construct_id)
        secret = secretsmanager.CfnSecret(
            self,
            "Secret",
            name=name,
            description=description,
            kms_key_id=key,
            tags=[CfnTag(key="environment", value=environment)],
        )
        # Destroying a stack must never destroy a grant: a new stack adopts the secret that the old one left.
        secret.apply_removal_policy(RemovalPolicy.RETAIN)
        Validations.of(secret).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-SMG4",
                reason="The worker refreshes it; a rotation beside that would redeem the same refresh token twice",
            )
        )
        policy = secretsmanager.CfnResourcePolicy(
            self, "Policy", secret_id=secret.ref, resource_policy=self._policy(), block_public_policy=True
        )
        policy.apply_removal_policy(RemovalPolicy.RETAIN)
        self.name = name
        self.secrets: Secrets = one_secret(self, secret.ref).encrypted_with(key)

    def _policy(self) -> iam.PolicyDocument:
        """Refuse every other account and every unencrypted connection, whatever a later policy may allow."""

        def deny(sid: str, conditions: dict[str, dict[str, str]]) -> iam.PolicyStatement:
            return iam.PolicyStatement(
                sid=sid,
                effect=iam.Effect.DENY,
                principals=[iam.StarPrincipal()],
                actions=["secretsmanager:*"],
                resources=["*"],
                conditions=conditions,
            )

        return iam.PolicyDocument(
            statements=[
                deny(
                    "RefuseOtherAccounts",
                    {
                        "StringNotEquals": {"aws:PrincipalAccount": Stack.of(self).account},
                        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                    },
                ),
                deny("RefuseUnencryptedConnections", {"Bool": {"aws:SecureTransport": "false"}}),
            ]
        )


class SecretKey(Construct):
    """A customer-managed key for the secrets and, where asked for, the logs and the alarms' topic."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: str) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            description=f"Encrypts OAuth token secrets ({environment})",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,  # without its key, a secret that was kept is lost
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

    def allow_alarms(self) -> None:
        """Let CloudWatch's alarms publish to a topic that this key encrypts."""
        self._allow(
            "cloudwatch.amazonaws.com",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
        )

    def _allow(self, service: str, actions: list[str], conditions: dict[str, dict[str, str]]) -> None:
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(service)], actions=actions, resources=["*"], conditions=conditions
            )
        )
