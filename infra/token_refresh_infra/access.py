"""Who may do what with which secrets: the access patterns, for this stack and for others that import them.

    one_secret(self, "upwork-oauth-tokens")           one secret, by name or ARN
    secrets_under(self, "upwork/prod/", "slack-")     families, by prefix
    environment_secrets(self, "upwork", "prod")       all of one application's environment
    several(one_secret(...), one_secret(...))         unrelated ones, for one consumer

    grant_read_published(consumer, which)             read the published secret with any reader, decrypt
    grant_read(consumer, which)                       read the current value of another secret, decrypt
    grant_batch_read(consumer, which)                 the same, many in one call
    grant_refresh(worker, which)                      what a refresh does, and no more
    grant_authorize(application, which, clients)      get grants by an application's own callback
    grant_replicate(worker, which, replica)           have a replica encrypted with a key of its own
    grant_claims(worker, table_arn)                   keep claims in a table
    grant_keep(worker, which, key_arn)                keep received tokens there that Secrets Manager refuses
    grant_invoke(caller, function_arn)                run the worker on demand
    grant_announce(worker, self, "default")           send this project's events to a bus

    one_parameter(self, "/myapp/dev/stripe")          one SecureString of Parameter Store, as sandboxes have it
    parameters_under(self, "/amplify/myapp/")         a family, by path
    grant_read_parameters(consumer, which)            read, decrypt
    grant_send(producer, queue_arn)                   send to a queue

Every grant is an identity policy, so it works within one account; the secrets' own policies refuse all others. No
allowed action has a wildcard, and the resource of one secret ends in exactly the six characters that Secrets Manager
appends to a name, so that a grant on `a` never reaches `a-longer-name`.
"""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct, IConstruct

from token_refresh_infra.reach import (
    Secrets,
    StoredParameters,
    environment_secrets,
    one_parameter,
    one_replica,
    one_secret,
    parameters_under,
    secrets_under,
    several,
)
from token_refresh_worker.adapters.event_bus import SOURCE
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG
from token_refresh_worker.run import permissions
from token_refresh_worker.stored.tags import FUNCTION_TAG

__all__ = [
    "PUBLISHED_READ_ACTIONS",
    "TABLE_KEY_ACTIONS",
    "Secrets",
    "StoredParameters",
    "environment_secrets",
    "grant_announce",
    "grant_authorize",
    "grant_batch_read",
    "grant_claims",
    "grant_invoke",
    "grant_keep",
    "grant_read",
    "grant_read_parameters",
    "grant_read_published",
    "grant_refresh",
    "grant_replicate",
    "grant_send",
    "grant_sign",
    "keep_conditions",
    "one_parameter",
    "one_replica",
    "one_secret",
    "only_from_function",
    "parameters_under",
    "secrets_under",
    "several",
    "through_secrets_manager",
]

Conditions = dict[str, dict[str, list[str] | str]]
TOKEN_SECRET_TAGS = (FUNCTION_TAG, FLEET_TAG)
"""A token secret of a deployment has the first, one of a fleet the second. No copy has either."""

PUBLISHED_READ_ACTIONS = (*permissions.READ_ACTIONS, "secretsmanager:DescribeSecret")
TABLE_KEY_ACTIONS = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")


def grant_read(grantee: iam.IGrantable, which: Secrets, *, labels: tuple[str, ...] = ("AWSCURRENT",)) -> None:
    """Let `grantee` read the versions that have one of these labels, and what is current.

    A request names the label, as `token_refresh.reader` does, or no version at all, as most programs do: then it gets
    what is current. So a reader of a token secret sees no claim and no older token set. A family leaves out what has
    the tags of a token secret, in whatever deployment or fleet: only `one_secret` opens that.
    """
    families = tuple(arn for arn in which.arns if _is_family(arn))
    _grant_versions(grantee, families, labels, without_tags=TOKEN_SECRET_TAGS)
    _grant_versions(grantee, tuple(arn for arn in which.arns if not _is_family(arn)), labels)
    _grant_key(grantee, ("kms:Decrypt",), which)


def grant_read_published(grantee: iam.IGrantable, which: Secrets) -> None:
    """Let `grantee` read a published secret, which holds no refresh token in any version.

    There is no condition on labels: most programs that read secrets name none. Caches ask `DescribeSecret` whether
    there is a newer version. A family leaves out token secrets, as in `grant_read`.
    """
    for arn in which.arns:
        _grant(grantee, PUBLISHED_READ_ACTIONS, (arn,), _untagged(TOKEN_SECRET_TAGS) if _is_family(arn) else None)
    _grant_key(grantee, ("kms:Decrypt",), which)


def grant_batch_read(grantee: iam.IGrantable, which: Secrets) -> None:
    """Let `grantee` read what is current, many secrets in one call.

    The batch call has no resource of its own: each value that it returns still takes the permission to read it. It
    can't name a label, and `grant_read` asks for none.
    """
    grant_read(grantee, which)
    _grant(grantee, ("secretsmanager:BatchGetSecretValue",), ("*",))


def grant_refresh(grantee: iam.IGrantable, which: Secrets, *, lists: bool = False) -> None:
    """Let `grantee` refresh the tokens: read, store new versions, move labels.

    `lists` lets it list the IDs of versions, too: it reads no value by that. A run so sees whether there are places for
    new tokens; and where KMS refuses the key of a claim, it rebuilds from the IDs what the claims said.
    """
    _grant(grantee, (*permissions.REFRESH_ACTIONS, *(permissions.LIST_ACTIONS if lists else ())), which.arns)
    _grant_key(grantee, ("kms:Decrypt", "kms:GenerateDataKey"), which)


def grant_authorize(grantee: iam.IGrantable, which: Secrets, clients: Secrets | None = None) -> None:
    """Let `grantee` get grants with `token_refresh_admin.grants`: read what is current, store a version, move a label.

    It lists versions, too: a code is not used whose tokens would have no place. `clients` are the client secrets, of
    which it reads the current version; None where each document has its own.
    """
    _grant_versions(grantee, which.arns, ("AWSCURRENT",))
    _grant(grantee, (*permissions.STORE_ACTIONS, *permissions.LIST_ACTIONS), which.arns)
    _grant_key(grantee, ("kms:Decrypt", "kms:GenerateDataKey"), which)
    if clients is not None:
        grant_read(grantee, clients)


def grant_replicate(grantee: iam.IGrantable, which: Secrets, replica: Secrets) -> None:
    """Let `grantee`, who writes a secret, have its replica encrypted with a key of the other region.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets_troubleshoot.html: "you need
    kms:GenerateDataKey and kms:Encrypt". Which of the two ARNs the encryption context has is not documented.
    """
    if replica.key_arn is not None:
        through = through_secrets_manager((*replica.arns, *which.arns))
        _grant(grantee, ("kms:Encrypt", "kms:GenerateDataKey"), (replica.key_arn,), through)


def grant_claims(grantee: iam.IGrantable, table_arn: str, *, name: str, key_arn: str | None = None) -> None:
    """Let `grantee` keep claims in a table, and use the key that encrypts it for that table alone."""
    _grant(grantee, permissions.CLAIM_ACTIONS, (table_arn,))
    if key_arn is not None:
        through: dict[str, list[str] | str] = {
            "kms:ViaService": "dynamodb.*",
            "kms:EncryptionContext:aws:dynamodb:tableName": name,
        }
        _grant(grantee, TABLE_KEY_ACTIONS, (key_arn,), {"StringLike": through})


def grant_keep(grantee: iam.IGrantable, which: Secrets, key_arn: str) -> None:
    """Let `grantee` keep received tokens of these secrets in a claim table, and use the key for nothing else."""
    _grant(grantee, permissions.KEEP_ACTIONS, (key_arn,), keep_conditions(which.arns))


def keep_conditions(secret_arns: tuple[str, ...]) -> Conditions:
    """Return what the encryption context of refused tokens must be; `adapters/kept_tokens.py` sets it."""
    return {
        "StringLike": {"kms:EncryptionContext:secret": list(secret_arns)},
        "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["secret", "claim", "piece"]},
    }


def grant_sign(grantee: iam.IGrantable, key_arn: str) -> None:
    """Let `grantee` sign client assertions (`private_key_jwt`)."""
    _grant(grantee, ("kms:Sign",), (key_arn,))


def grant_identity_token(grantee: iam.IGrantable, audience: str, algorithm: str) -> None:
    """Let `grantee` ask AWS STS for tokens that state its role, for one audience and five minutes (`aws_iam_jwt`).

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_policies.html

    Raises:
        ValueError: IAM would replace a part of the audience.
    """
    if "${" in audience:
        raise ValueError("the audience has ${ in it, which begins a variable of IAM")
    conditions: Conditions = {
        "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": [audience]},
        "Null": {"sts:IdentityTokenAudience": "false"},  # "for all" is also true of none
        "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
        "StringEquals": {"sts:SigningAlgorithm": algorithm},
        "StringEqualsIfExists": {"sts:SubjectMode": "AWSIdentity"},  # the role itself; also where no mode is asked for
    }
    _grant(grantee, ("sts:GetWebIdentityToken",), ("*",), conditions)


def grant_announce(grantee: iam.IGrantable, scope: IConstruct, event_bus: str) -> None:
    """Let `grantee` send events to one bus, and only those of this project."""
    bus = Stack.of(scope).format_arn(service="events", resource="event-bus", resource_name=event_bus)
    _grant(grantee, ("events:PutEvents",), (bus,), {"StringEquals": {"events:source": SOURCE}})


def only_from_function(
    scope: Construct, role: iam.IRole, function_arn: str, *, queue_arn: str | None = None, keep_key: str | None = None
) -> None:
    """Refuse what the role may do to everything but this function's own code.

    A caller that may pass the role to another function, or copies its credentials, gets no secret, no item, no
    signature and no token, and can send neither events nor messages to `queue_arn`. Outside are the log,
    traces, the queue that Lambda polls with this role, and the one to which it sends failed runs: Lambda itself makes
    those calls. A policy of its own, because the function depends on the role's other one.
    """
    services = ("secretsmanager:*", "ssm:*", "dynamodb:*")
    refused = {"*": [*services, "kms:Sign", "sts:GetWebIdentityToken", "events:PutEvents"]}
    if queue_arn is not None:
        refused[queue_arn] = ["sqs:SendMessage"]
    if keep_key is not None:
        # Of this key alone: others are used by Secrets Manager and DynamoDB for the role, not by the function itself.
        refused[keep_key] = list(permissions.KEEP_ACTIONS)
    statements = [
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=actions,
            resources=[resource],
            conditions={"ArnNotEquals": {"lambda:SourceFunctionArn": function_arn}},
        )
        for resource, actions in refused.items()
    ]
    iam.Policy(scope, "OnlyFromTheWorker", statements=statements, roles=[role])


def grant_invoke(grantee: iam.IGrantable, function_arn: str) -> None:
    """Let `grantee` run the worker on demand."""
    _grant(grantee, ("lambda:InvokeFunction",), (function_arn,))


def grant_read_parameters(grantee: iam.IGrantable, which: StoredParameters) -> None:
    """Let `grantee` read the parameters, and use their key through Parameter Store for these alone."""
    _grant(grantee, ("ssm:GetParameters",), which.arns)
    if which.key_arn is not None:
        through: dict[str, list[str] | str] = {
            "kms:ViaService": "ssm.*",
            "kms:EncryptionContext:PARAMETER_ARN": list(which.arns),
        }
        _grant(grantee, ("kms:Decrypt",), (which.key_arn,), {"StringLike": through})


def grant_send(grantee: iam.IGrantable, queue_arn: str, key: kms.IKey | None = None) -> None:
    """Let `grantee` send to a queue, and use the key that encrypts its messages for these alone."""
    _grant(grantee, ("sqs:SendMessage",), (queue_arn,))
    if key is not None:
        through: dict[str, list[str] | str] = {
            "kms:ViaService": "sqs.*",
            "kms:EncryptionContext:aws:sqs:arn": queue_arn,
        }
        _grant(grantee, ("kms:Decrypt", "kms:GenerateDataKey"), (key.key_arn,), {"StringLike": through})


def _grant(
    grantee: iam.IGrantable,
    actions: tuple[str, ...],
    resources: tuple[str, ...],
    conditions: Conditions | None = None,
) -> None:
    grant = iam.Grant.add_to_principal(
        grantee=grantee, actions=list(actions), resource_arns=list(resources), conditions=conditions
    )
    grant.assert_success()


def _grant_versions(
    grantee: iam.IGrantable, arns: tuple[str, ...], labels: tuple[str, ...], *, without_tags: tuple[str, ...] = ()
) -> None:
    """Let `grantee` read current values and labelled versions of the secrets that have none of these tags."""
    conditions: Conditions = {
        # IAM knows the label that a request names, and none where it names none.
        "StringEqualsIfExists": {"secretsmanager:VersionStage": list(labels)},
        "Null": {"secretsmanager:VersionId": "true", **_untagged(without_tags)["Null"]},
    }
    if arns:
        _grant(grantee, permissions.READ_ACTIONS, arns, conditions)


def _untagged(tags: tuple[str, ...]) -> Conditions:
    return {"Null": {f"secretsmanager:ResourceTag/{tag}": "true" for tag in tags}}


def _is_family(arn: str) -> bool:
    return "*" in arn


def _grant_key(grantee: iam.IGrantable, actions: tuple[str, ...], which: Secrets) -> None:
    """Let `grantee` use the key through Secrets Manager alone, for these secrets alone; previous keys only decrypt."""
    through = through_secrets_manager(which.arns)
    if which.key_arn is not None:
        _grant(grantee, actions, (which.key_arn,), through)
    for key in which.previous_keys:
        _grant(grantee, ("kms:Decrypt",), (key,), through)


def through_secrets_manager(secret_arns: tuple[str, ...]) -> Conditions:
    """Return the conditions under which a key opens these secrets, and no other one that it encrypts."""
    context: dict[str, list[str] | str] = {
        "kms:ViaService": "secretsmanager.*",
        "kms:EncryptionContext:SecretARN": list(secret_arns),
    }
    return {"StringLike": context}
