"""Says where a signing secret is, and which command stores another one, for messages."""

from collections.abc import Sequence

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import arn_region
from token_refresh.aws.clients import CLIENTS
from token_refresh.aws.request import AwsRequest
from token_refresh.reader import Secret
from token_refresh.reference import ReferenceScheme, split_reference

# From a file: a secret on a command line stays in the shell's history.
_COMMANDS = {
    ReferenceScheme.SECRET: "aws secretsmanager put-secret-value --secret-id {} --secret-string file://secret.txt",
    ReferenceScheme.PARAMETER: "aws ssm put-parameter --type SecureString --overwrite --name {} --value file://secret.txt",
    ReferenceScheme.AMPLIFY: "npx ampx sandbox secret set {}",
}
_OF_AWS = (ReferenceScheme.SECRET, ReferenceScheme.PARAMETER)


def look_up(reference: str) -> AwsRequest:
    """Name a secret as a call to AWS does: with its region, where that is known."""
    scheme, name, *_ = split_reference(reference)
    region = CLIENTS.region_of(arn_region(name)) if scheme in _OF_AWS else None
    return AwsRequest(action="", name=reference, region=region or "", kind="")


def how_to_store_key(reference: str) -> str | Command:
    """Return the complete command that stores another secret under a reference; a local one is named."""
    scheme, name, _, field = split_reference(reference)
    if scheme not in _COMMANDS:
        return f"change {reference}"
    # The whole object is stored again, also for a change of one field.
    line = _COMMANDS[scheme] if field is None else _COMMANDS[scheme].replace("secret.txt", "secret.json")
    return look_up(reference).command(line, name)


def how_to_correct(secrets: Sequence[Secret]) -> Advice:
    """Say how to store another secret in place of a wrong one; the secret before that stays accepted."""
    current = secrets[0]
    store = how_to_store_key(current.secret_id)
    before = next((secret.version_id for secret in secrets if secret.version_id != current.version_id), None)
    if before is None:
        return (store,)
    # PutSecretValue makes the wrong version AWSPREVIOUS, so what the sender still signs with would be refused.
    go_back = look_up(current.secret_id).command(
        "aws secretsmanager update-secret-version-stage --secret-id {} --version-stage AWSCURRENT "
        "--move-to-version-id {} --remove-from-version-id {}",
        *(split_reference(current.secret_id).name, before, current.version_id),
    )
    return go_back, " keeps the secret before it accepted, then ", store
