"""Who may do what in a fleet. The dispatcher reads no secret, and the worker neither lists nor tags any.

             secrets                          rows          pauses   messages, breakers   claims        queue
dispatcher   -                                read          read     read, write          -             send
resync       list, without values             write         -        -                    -             -
worker       read, write those of the fleet   read, write   read     read breakers        read, write   receive
             and their copies
"""

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from token_refresh_infra.access import (
    TABLE_KEY_ACTIONS,
    Conditions,
    Secrets,
    grant_announce,
    grant_read,
    keep_conditions,
    through_secrets_manager,
)
from token_refresh_infra.constructs.nag import acknowledge
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_worker.fleet.aws.index import INDEX
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG
from token_refresh_worker.run import permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetAccess:
    """Grants the roles of a fleet what they use."""

    parameters: FleetParameters
    table: dynamodb.ITable
    queue: sqs.IQueue
    kept_key: str | None

    def let_dispatcher(self, role: iam.Role) -> None:
        """Let the dispatcher read rows, remember what it sent, and send."""
        fleet = self.parameters.fleet
        # The index has the rows and no claims, so the dispatcher needs no right on the table's other items.
        self._allow(role, ["dynamodb:Query"], f"{self.table.table_arn}/index/{INDEX}")
        written = f"sent#{fleet}#*", f"breakers#{fleet}"
        self._allow_items(role, ["dynamodb:BatchGetItem"], "row#*", f"fleet#{fleet}", f"store#{fleet}", *written)
        self._allow_items(role, ["dynamodb:UpdateItem"], *written)
        self._allow(role, ["sqs:SendMessage"], self.queue.queue_arn)
        self._allow_key(role)

    def let_resync(self, role: iam.Role) -> None:
        """Let the resync list secrets, without their values, and write rows."""
        self._allow(role, ["secretsmanager:ListSecrets"], "*")
        acknowledge(role, "IAM5[Resource::*]", "ListSecrets knows no resource, and returns no value")
        self._allow(role, ["dynamodb:Query"], f"{self.table.table_arn}/index/{INDEX}")
        self._allow_items(role, ["dynamodb:UpdateItem"], "row#*")
        self._allow_key(role)

    def let_worker(self, role: iam.Role) -> None:
        """Let the worker refresh the fleet's secrets, keep their claims, and report."""
        parameters, fleet = self.parameters, self.parameters.fleet
        shared = f"fleet#{fleet}", f"breakers#{fleet}", f"store#{fleet}"
        self._allow_items(role, ["dynamodb:GetItem", "dynamodb:BatchGetItem"], "row#*", *shared, "arn:*")
        self._allow_items(role, ["dynamodb:UpdateItem"], "row#*", f"store#{fleet}", "arn:*")
        self._allow_key(role)
        self._let_refresh(role)
        self._let_publish(role)
        if parameters.client_secret_id:
            name, _, _ = parameters.client_secret_id.partition("#")  # a field is not part of the secret's ARN
            clients = self._secret(name.replace("{provider}", "*") + "-??????")
            which = Secrets(arns=(clients,)).encrypted_with(parameters.kms_key, *parameters.previous_kms_keys)
            grant_read(role, which, labels=("AWSCURRENT", "AWSPREVIOUS"))
            acknowledge(role, f"IAM5[Resource::{clients}]", "One secret a provider; its name says which")
        self._allow(role, ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], self.queue.queue_arn)
        if parameters.event_bus:
            grant_announce(role, self.table, parameters.event_bus)

    def _let_refresh(self, role: iam.Role) -> None:
        """By prefix, or by the tag that makes a secret a member."""
        parameters = self.parameters
        # The tag is checked by IAM on each call: who takes it off ends the worker's access at once.
        tagged: Conditions = {"StringEquals": {f"secretsmanager:ResourceTag/{FLEET_TAG}": parameters.fleet}}
        members = self._secret(f"{parameters.secrets_under or ''}*")
        self._allow(
            role,
            [*permissions.REFRESH_ACTIONS, *permissions.LIST_ACTIONS],
            members,
            None if parameters.secrets_under else tagged,
        )
        self._let_decrypt(role, ["kms:Decrypt", "kms:GenerateDataKey"], members)
        if self.kept_key is not None:
            self._allow(role, list(permissions.KEEP_ACTIONS), self.kept_key, keep_conditions((members,)))
        acknowledge(
            role, f"IAM5[Resource::{members}]", "The fleet's secrets: by their prefix, or by the fleet's tag on each"
        )

    def _let_publish(self, role: iam.Role) -> None:
        """Let the worker write copies; people make them, so it can't create any."""
        if self.parameters.published_under:
            copies = self._secret(f"{self.parameters.published_under}*")
            self._allow(role, list(permissions.REFRESH_ACTIONS), copies)
            self._let_decrypt(role, ["kms:Decrypt", "kms:GenerateDataKey"], copies)
            acknowledge(role, f"IAM5[Resource::{copies}]", "One copy a secret; its name says which")

    def _let_decrypt(self, role: iam.Role, actions: list[str], secrets: str) -> None:
        through = through_secrets_manager((secrets,))
        if self.parameters.kms_key is not None:
            self._allow(role, actions, self.parameters.kms_key, through)
        for key in self.parameters.previous_kms_keys:
            self._allow(role, ["kms:Decrypt"], key, through)

    def _allow_key(self, role: iam.Role) -> None:
        if self.parameters.kms_key is not None:
            through: Conditions = {
                "StringLike": {
                    "kms:ViaService": "dynamodb.*",
                    "kms:EncryptionContext:aws:dynamodb:tableName": self.parameters.fleet,
                }
            }
            self._allow(role, list(TABLE_KEY_ACTIONS), self.parameters.kms_key, through)

    def _allow_items(self, role: iam.Role, actions: list[str], *keys: str) -> None:
        """Allow actions on those items of the table whose key matches."""
        # `LeadingKeys` is the partition key, which has a prefix for each kind of item (`fleet/aws/items.py`). `Null`:
        # `ForAllValues` alone also holds for a request without keys.
        named: Conditions = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
        self._allow(role, actions, self.table.table_arn, named)

    def _allow(self, role: iam.Role, actions: list[str], resource: str, conditions: Conditions | None = None) -> None:
        role.add_to_principal_policy(
            iam.PolicyStatement(actions=actions, resources=[resource], conditions=conditions or {})
        )

    def _secret(self, name: str) -> str:
        stack = Stack.of(self.table)
        return f"arn:{stack.partition}:secretsmanager:{stack.region}:{stack.account}:secret:{name}"
