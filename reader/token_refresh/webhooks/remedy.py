"""Says where a signing secret is, and which command stores another one, for messages."""

from collections.abc import Sequence

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import arn_region
from token_refresh.aws.clients import CLIENTS
from token_refresh.reader import Secret

# From a file: a secret on a command line stays in the shell's history.
_COMMANDS = {
    "": "aws secretsmanager put-secret-value --secret-id {} --secret-string file://secret.txt",
    "ssm": "aws ssm put-parameter --type SecureString --overwrite --name {} --value file://secret.txt",
    "amplify": "npx ampx sandbox secret set {}",
}
_OF_AWS = ("", "ssm")


def place_of_secret(reference: str) -> str:
    """Name a secret with its region, where that is known."""
    region = _region(reference)
    return f"{reference} in {region}" if region else reference


def how_to_store(reference: str) -> str | Command:
    """Give the complete command that stores another secret under a reference; a local one is named."""
    scheme, name = _parts(reference)
    if scheme not in _COMMANDS:
        return f"change {reference}"
    return _with_region(reference, _COMMANDS[scheme], name)


def how_to_correct(secrets: Sequence[Secret]) -> Advice:
    """Say how to store another secret in place of a wrong one; the secret before that stays accepted."""
    current = secrets[0]
    store = how_to_store(current.secret_id)
    before = next((secret.version_id for secret in secrets if secret.version_id != current.version_id), None)
    if before is None:
        return (store,)
    # PutSecretValue makes the wrong version AWSPREVIOUS, so what the sender still signs with would be refused.
    go_back = _with_region(
        current.secret_id,
        "aws secretsmanager update-secret-version-stage --secret-id {} --version-stage AWSCURRENT "
        "--move-to-version-id {} --remove-from-version-id {}",
        *(current.secret_id, before, current.version_id),
    )
    return go_back, " keeps the secret before it accepted, then ", store


def _with_region(reference: str, line: str, *values: str) -> Command:
    region = _region(reference)
    return Command.of(f"{line} --region {{}}", *values, region) if region else Command.of(line, *values)


def _parts(reference: str) -> tuple[str, str]:
    """Split a reference; a name or an ARN has no scheme."""
    scheme, colon, name = reference.partition(":")
    return (scheme, name) if colon and scheme != "arn" else ("", reference)


def _region(reference: str) -> str | None:
    scheme, name = _parts(reference)
    return CLIENTS.region_of(arn_region(name)) if scheme in _OF_AWS else None
