"""Check what the function's role and the caller may do, and the key with which the claim table keeps tokens.

The simulator reads the role's policies alone. It can't judge a secret's own policy for a role: `CallerArn` must be a
user (API page of `SimulatePrincipalPolicy`). A run that such a policy denies ends with an error that says so.

The caller tries what a run does, with writes that can't touch a token set. The probe is a version with a fixed ID, its
own label and no token. To store it again changes nothing, and to move its label from a version that does not exist is
refused. Even a store that follows no rule of Secrets Manager would write to the probe alone. The current version is
read afterwards all the same. Nothing is encrypted with the key.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import arn_region, parse_arn
from token_refresh.aws.calls import CallFailed, missing
from token_refresh.errors import SecretAccessDenied, TokenRefreshError
from token_refresh.reference import split_reference
from token_refresh_admin.changes.change import prove_write
from token_refresh_admin.cli.context import Context, variables_of
from token_refresh_admin.cli.finding import Finding, not_known
from token_refresh_admin.cli.state import SecretState
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run import permissions
from token_refresh_worker.run.settings import Variable, copy_name

_USES: Final = {
    "TOKEN_SECRET_ID": permissions.REFRESH_ACTIONS,
    "PUBLISHED_SECRET_ID": permissions.REFRESH_ACTIONS,
    "CLIENT_SECRET_ID": permissions.READ_ACTIONS,
}


def check_access(context: Context, deployed: Mapping[str, Any]) -> Finding:
    """Say what the role may not do that a run does."""
    role, there, own = str(deployed["Role"]), variables_of(deployed), context.secret_id
    refused = []
    for setting, actions in _USES.items():
        secret_id = own if setting == "TOKEN_SECRET_ID" else copy_name(there.get(setting), own)
        if not secret_id or "{" in secret_id:  # A fleet has one client secret for each provider.
            continue
        secret_id = split_reference(secret_id).name
        refused += _simulate(context, deployed, context.arn_of(secret_id), actions)
    if (table := there.get("CLAIM_TABLE")) and (place := parse_arn(deployed["FunctionArn"])):
        arn = f"arn:{place.partition}:dynamodb:{place.region}:{place.account}:table/{table}"
        refused += _simulate(context, deployed, arn, permissions.CLAIM_ACTIONS)
    secret_arn = context.arn_of(own)
    if key_arn := there.get(Variable.KEPT_TOKENS_KEY_ID):  # The policies depend on the context of a run's use.
        keys = {"kms:EncryptionContext:secret": [secret_arn], "kms:EncryptionContextKeys": ["secret", "claim", "piece"]}
        refused += _simulate(context, deployed, key_arn, permissions.KEEP_ACTIONS, keys)
    if refused:
        return Finding.broken(f"access denied to {role}: {'; '.join(refused)}", "allow that, and deploy again")
    # Without it a run does not see that the secret is full, nor what a claim said whose key KMS refuses.
    if unlisted := _simulate(context, deployed, secret_arn, permissions.LIST_ACTIONS):
        return Finding.attention(
            f"{role} may do all that a usual run does. After a change of the KMS key, and to see that the secret is "
            f"full, a run also needs {'; '.join(unlisted)}",
            "allow that, and deploy again",
        )
    return Finding.healthy(
        "IAM's simulator allows what a run needs. It doesn't see secrets' own policies: a run's error names those"
    )


def _simulate(
    context: Context, deployed: Mapping[str, Any], arn: str, actions: Sequence[str], sent: Mapping[str, list[str]] = {}
) -> list[str]:
    """Ask IAM's simulator, which changes nothing; `sent` are context keys of the call."""
    # The stack denies the role to everything but the function's own code: simulate that code, or all is denied.
    function_arn = str(deployed["FunctionArn"])
    known = {"lambda:SourceFunctionArn": [function_arn], "secretsmanager:VersionStage": [CURRENT], **sent}
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": values, "ContextKeyType": "stringList" if values[1:] else "string"}
        for key, values in known.items()
    ]
    role = str(deployed["Role"])
    results = context.ask(
        *("iam:SimulatePrincipalPolicy", "role", role),
        PolicySourceArn=role,
        ActionNames=list(actions),
        ResourceArns=[arn],
        ContextEntries=entries,
    )["EvaluationResults"]
    return [
        f"{result['EvalActionName']} on {arn} ({_why(result)})"
        for result in results
        if result["EvalDecision"] != "allowed"
    ]


def _why(result: Mapping[str, Any]) -> str:
    """Say which policies deny it, as the API page of `SimulatePrincipalPolicy` has them."""
    if result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
        return "a service control policy of the AWS organization denies it"
    if result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary") is False:
        return "the permissions boundary of the role denies it"
    ways = {"implicitDeny": "no policy of the role allows it", "explicitDeny": "a policy of the role denies it"}
    return ways.get(result["EvalDecision"], str(result["EvalDecision"]))


_LOST: Final = "tokens that Secrets Manager refuses would be lost, and those that are kept can't be decrypted"


def check_key(context: Context, key_arn: str) -> Finding:
    """Look at the state of the key, and at what it may be used for."""
    region = arn_region(key_arn)
    another = f"name another one in kept_tokens_key, and deploy ({Variable.KEPT_TOKENS_KEY_ID})"
    try:
        described = context.ask("kms:DescribeKey", "key", key_arn, region=region, expected=missing, KeyId=key_arn)
    except CallFailed:
        return Finding.broken(f"key {key_arn} does not exist: {_LOST}", another)
    found = described["KeyMetadata"]
    state = found["KeyState"]
    if found["KeySpec"] != "SYMMETRIC_DEFAULT" or found["KeyUsage"] != "ENCRYPT_DECRYPT":
        return Finding.broken(f"key {key_arn} is not a symmetric key that encrypts: {_LOST}", another)
    if state != "Enabled":
        which = ("--key-id", key_arn, "--region", region or context.region)
        remedies: dict[str, Advice] = {
            "Disabled": (Command(("aws", "kms", "enable-key", *which)),),
            "PendingDeletion": (Command(("aws", "kms", "cancel-key-deletion", *which)), ". Then enable it"),
        }
        remedy = remedies.get(state, ("look at it in the KMS console",))
        return Finding.broken(f"key {key_arn} is {state}: {_LOST}", *remedy)
    return Finding.healthy(f"{key_arn}, enabled")


def check_permissions(state: SecretState) -> Finding:
    """Try to read, to write and to move a label."""
    context = state.context
    if not context.at_aws:
        return Finding.unknown("writing not tried: Secrets Manager is not at AWS's own endpoint")
    store, current = context.store(), state.snapshot.current.version_id
    found = Finding.healthy("read, write and move labels (tried with a version without a token)")
    try:
        prove_write(store)
    except SecretAccessDenied as failure:
        found = Finding.attention(
            failure.facts,
            "the function has its own role, which another check judges; for refresh, authorize and restore you need "
            "secretsmanager:PutSecretValue and secretsmanager:UpdateSecretVersionStage on the secret's ARN. ",
            *failure.fix,
        )
    except TokenRefreshError as failure:
        found = not_known(failure)
    with suppress(TokenRefreshError):  # Nothing suggests a change, and the next read will tell.
        now = store.read(label=CURRENT)
        if now is None or now.version_id != current:
            restore = context.command("restore", "--version", current)
            changed = "the current version changed during the probe"
            return Finding.broken(changed, "if no run made another version current: ", restore)
    return found
