"""Check the key with which the claim table keeps tokens that Secrets Manager refuses. Nothing is encrypted with it."""

from typing import Any, Final

from token_refresh.advice import Command
from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import CallFailed
from token_refresh.aws.causes import Cause
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.run.variables import Variable

KEEP_ACTIONS: Final = ("kms:Encrypt", "kms:Decrypt")

_COMMANDS: Final = {"Disabled": "enable-key", "PendingDeletion": "cancel-key-deletion"}
_LOST: Final = "tokens that Secrets Manager refuses would be lost, and none that are kept can be decrypted"


def check_key(context: Context, key_arn: str) -> Finding:
    """Look at the state of the key, and at what it may be used for.

    Raises:
        TokenRefreshError: It can't be read.
    """
    region = arn_region(key_arn)
    another = f"name another one in kept_tokens_key, and deploy ({Variable.KEPT_TOKENS_KEY_ID})"
    try:
        found = context.ask(
            *("kms:DescribeKey", "key", key_arn),
            region=region,
            expected=lambda failure: failure.cause is Cause.NOT_FOUND,
            KeyId=key_arn,
        )["KeyMetadata"]
    except CallFailed:
        return Finding.broken(f"key {key_arn} does not exist: {_LOST}", another)
    state = found["KeyState"]
    if found["KeySpec"] != "SYMMETRIC_DEFAULT" or found["KeyUsage"] != "ENCRYPT_DECRYPT":
        return Finding.broken(f"key {key_arn} is not a symmetric key that encrypts: {_LOST}", another)
    if state != "Enabled":
        action = _COMMANDS.get(state)
        mend = Command.of(f"aws kms {action} --key-id {{}} --region {{}}", key_arn, region or context.region)
        return Finding.broken(
            f"key {key_arn} is {state}: {_LOST}",
            *((mend,) if action else ("look at it in the KMS console",)),
            *((". Then enable it",) if state == "PendingDeletion" else ()),
        )
    return Finding.healthy(f"{key_arn}, enabled")


def encryption_context(secret_arn: str) -> list[dict[str, Any]]:
    """Give the context entries with which IAM's simulator judges a run's use of the key; the policies ask for them."""
    name = "kms:EncryptionContext"
    return [
        {"ContextKeyName": f"{name}:secret", "ContextKeyType": "string", "ContextKeyValues": [secret_arn]},
        {
            "ContextKeyName": f"{name}Keys",
            "ContextKeyType": "stringList",
            "ContextKeyValues": ["secret", "claim", "piece"],
        },
    ]
