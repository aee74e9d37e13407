"""A secret that is created empty, and stays when the stack is deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import CfnTag, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from token_refresh_infra.constructs.nag import acknowledge

VALUE_ACTIONS = tuple(
    f"secretsmanager:{name}" for name in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
)
_VERBS = "A*", "C*", "Del*", "Dis*", "E*", "I*", "M*", "Put*Policy", "R*", "S*", "T*", "Un*", "UpdateSecret", "V*"
MANAGE_ACTIONS = tuple(f"secretsmanager:{name}" for name in _VERBS)
"""Whatever neither uses a value nor reads metadata (`Get`, `List`, `Describe`), so also most of what AWS will add.

Not `NotAction`, which would say it whole: Secrets Manager's page on the elements of its policies names `Action` alone.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_policy-elements.html
"""

AWS_OWN_KEY: Final = "alias/aws/secretsmanager"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """The only principals, as ARNs or patterns of them, that a secret's own policy does not refuse."""

    users: tuple[str, ...]
    """Who may read and write its value."""
    managers: tuple[str, ...]
    """Who may do anything else that changes it: delete, replicate or tag it, replace its policy."""


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
        only: AllowList | None = None,
        tags: Mapping[str, str] | None = None,
        replicas: Mapping[str, str | None] | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        secret = secretsmanager.CfnSecret(
            self,
            "Secret",
            name=name,
            description=description,
            kms_key_id=key,
            replica_regions=[
                secretsmanager.CfnSecret.ReplicaRegionProperty(region=region, kms_key_id=there)
                for region, there in (replicas or {}).items()
            ]
            or None,
            tags=[CfnTag(key=tag, value=text) for tag, text in {"environment": environment, **(tags or {})}.items()],
        )
        # Destroying a stack must never destroy a grant: a new stack adopts the secret that the old one left. What a
        # failed creation made holds none, and is deleted: it would block the next try.
        secret.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        acknowledge(
            secret,
            "SMG4",
            "The worker refreshes it; a rotation beside that would redeem the same refresh token twice",
        )
        policy = secretsmanager.CfnResourcePolicy(
            self, "Policy", secret_id=secret.ref, resource_policy=self._policy(only), block_public_policy=True
        )
        policy.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        self.arn = secret.ref

    def _policy(self, only: AllowList | None) -> iam.PolicyDocument:
        """Refuse every other account and every unencrypted connection, whatever a later policy may allow.

        With an allow list, refuse everybody who isn't on it.
        """

        def deny(
            sid: str,
            conditions: dict[str, dict[str, Any]],
            *,
            actions: Sequence[str] = ("secretsmanager:*",),
        ) -> iam.PolicyStatement:
            return iam.PolicyStatement(
                sid=sid,
                effect=iam.Effect.DENY,
                principals=[iam.StarPrincipal()],
                actions=list(actions),
                resources=["*"],
                conditions=conditions,
            )

        def not_in(listed: Sequence[str]) -> dict[str, dict[str, Any]]:
            return {"ArnNotLike": {"aws:PrincipalArn": list(listed)}}

        lists = (
            [
                deny("RefuseWhoIsNotListed", not_in(only.users), actions=VALUE_ACTIONS),
                # The deploying role is on this list, so a list that locks its owner out can be corrected.
                deny("RefuseWhoDoesNotManage", not_in(only.managers), actions=MANAGE_ACTIONS),
            ]
            if only
            else []
        )
        return iam.PolicyDocument(
            statements=[
                *lists,
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
