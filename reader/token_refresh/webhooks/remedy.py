"""Says where a signing secret is, and which command stores another one, for messages."""

from collections.abc import Sequence

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import arn_region
from token_refresh.aws.clients import CLIENTS
from token_refresh.aws.request import AwsRequest
from token_refresh.reader import Secret

# From a file: a secret on a command line stays in the shell's history.
_COMMANDS = {
    "": "aws secretsmanager put-secret-value --secret-id {} --secret-string file://secret.txt",
    "ssm": "aws ssm put-parameter --type SecureString --overwrite --name {} --value file://secret.txt",
    "amplify": "npx ampx sandbox secret set {}",
}
_OF_AWS = ("", "ssm")


def look_up(reference: str) -> AwsRequest:
    """Name a secret as a call to AWS does: with its region, where that is known."""
    scheme, name = _parts(reference)
    region = CLIENTS.region_of(arn_region(name)) if scheme in _OF_AWS else None
    return AwsRequest(action="", name=reference, region=region or "", kind="")


def how_to_store(reference: str) -> str | Command:
    """Give the complete command that stores another secret under a reference; a local one is named."""
    scheme, name = _parts(reference)
    if scheme not in _COMMANDS:
        return f"change {reference}"
    return look_up(reference).command(_COMMANDS[scheme], name)


def how_to_correct(secrets: Sequence[Secret]) -> Advice:
    """Say how to store another secret in place of a wrong one; the secret before that stays accepted."""
    current = secrets[0]
    store = how_to_store(current.secret_id)
    before = next((secret.version_id for secret in secrets if secret.version_id != current.version_id), None)
    if before is None:
        return (store,)
    # PutSecretValue makes the wrong version AWSPREVIOUS, so what the sender still signs with would be refused.
    go_back = look_up(current.secret_id).command(
        "aws secretsmanager update-secret-version-stage --secret-id {} --version-stage AWSCURRENT "
        "--move-to-version-id {} --remove-from-version-id {}",
        *(current.secret_id, before, current.version_id),
    )
    return go_back, " keeps the secret before it accepted, then ", store


def _parts(reference: str) -> tuple[str, str]:
    """Split a reference; a name or an ARN has no scheme."""
    scheme, colon, name = reference.partition(":")
    return (scheme, name) if colon and scheme != "arn" else ("", reference)
