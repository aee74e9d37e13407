"""A secret that is created empty, and stays when the stack is deleted."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnTag, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from token_refresh_infra.access import Secrets, one_secret
from token_refresh_infra.constructs.nag import acknowledge

VALUE_ACTIONS = tuple(
    f"secretsmanager:{name}"
    for name in ("GetSecretValue", "PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "RotateSecret")
)


class EmptySecret(Construct):
    """A secret without a value: `token-refresh authorize` stores the first one, so that no template ever holds one.

    Written as the plain resource, since the CDK's own `Secret` would have a random value generated.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        environment: str,
        key: str | None,
        only: Sequence[str] = (),
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
        acknowledge(
            secret,
            "SMG4",
            "The worker refreshes it; a rotation beside that would redeem the same refresh token twice",
        )
        policy = secretsmanager.CfnResourcePolicy(
            self, "Policy", secret_id=secret.ref, resource_policy=self._policy(only), block_public_policy=True
        )
        policy.apply_removal_policy(RemovalPolicy.RETAIN)
        self.name = name
        self.secrets: Secrets = one_secret(self, secret.ref).encrypted_with(key)

    def _policy(self, only: Sequence[str]) -> iam.PolicyDocument:
        """Refuse every other account and every unencrypted connection, whatever a later policy may allow.

        With an allow list, refuse the value to everybody who isn't on it. Who may change policies can still lift that:
        a list that locked them out could never be corrected.
        """

        def deny(
            sid: str, conditions: dict[str, dict[str, Any]], actions: Sequence[str] = ("secretsmanager:*",)
        ) -> iam.PolicyStatement:
            return iam.PolicyStatement(
                sid=sid,
                effect=iam.Effect.DENY,
                principals=[iam.StarPrincipal()],
                actions=list(actions),
                resources=["*"],
                conditions=conditions,
            )

        listed = deny("RefuseWhoIsNotListed", {"ArnNotLike": {"aws:PrincipalArn": list(only)}}, VALUE_ACTIONS)
        return iam.PolicyDocument(
            statements=[
                *([listed] if only else []),
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
