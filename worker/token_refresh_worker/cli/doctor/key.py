"""Check the key with which the claim table keeps tokens that Secrets Manager refuses. Nothing is encrypted with it."""

from typing import Final

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import CallFailed
from token_refresh.aws.causes import Cause
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.run.variables import Variable

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
        which = ("--key-id", key_arn, "--region", region or context.region)
        remedies: dict[str, Advice] = {
            "Disabled": (Command(("aws", "kms", "enable-key", *which)),),
            "PendingDeletion": (Command(("aws", "kms", "cancel-key-deletion", *which)), ". Then enable it"),
        }
        remedy = remedies.get(state, ("look at it in the KMS console",))
        return Finding.broken(f"key {key_arn} is {state}: {_LOST}", *remedy)
    return Finding.healthy(f"{key_arn}, enabled")


def encryption_context(secret_arn: str) -> dict[str, list[str]]:
    """Give the context keys of a run's use of the key, on which the policies depend."""
    return {
        "kms:EncryptionContext:secret": [secret_arn],
        "kms:EncryptionContextKeys": ["secret", "claim", "piece"],
    }
