"""Says where a signing secret is, and which command stores another one, for messages."""

import shlex
from collections.abc import Sequence

from token_refresh.aws.arn import arn_region
from token_refresh.aws.clients import configured_region
from token_refresh.reader import Secret

# From a file: a secret on a command line stays in the shell's history.
_COMMANDS = {
    "": "aws secretsmanager put-secret-value --secret-id {name} --secret-string file://secret.txt",
    "ssm": "aws ssm put-parameter --type SecureString --overwrite --name {name} --value file://secret.txt",
    "amplify": "npx ampx sandbox secret set {name}",
}
_OF_AWS = ("", "ssm")


def place_of_secret(reference: str) -> str:
    """Name a secret with its region, where that is known."""
    region = _region(reference)
    return f"{reference} in {region}" if region else reference


def how_to_store(reference: str) -> str:
    """Give the complete command that stores another secret under a reference; a local one is named."""
    scheme, name = _parts(reference)
    if scheme not in _COMMANDS:
        return f"change {reference}"
    return _with_region(reference, _COMMANDS[scheme].format(name=shlex.quote(name)))


def how_to_correct(secrets: Sequence[Secret]) -> str:
    """Say how to store another secret in place of a wrong one; the secret before that stays accepted."""
    current = secrets[0]
    store = how_to_store(current.secret_id)
    before = next((secret.version_id for secret in secrets if secret.version_id != current.version_id), None)
    if before is None:
        return store
    # PutSecretValue makes the wrong version AWSPREVIOUS, so what the sender still signs with would be refused.
    command = _with_region(
        current.secret_id,
        f"aws secretsmanager update-secret-version-stage --secret-id {shlex.quote(current.secret_id)} --version-stage "
        f"AWSCURRENT --move-to-version-id {before} --remove-from-version-id {current.version_id}",
    )
    return f"{command} keeps the secret before it accepted, then {store}"


def _with_region(reference: str, command: str) -> str:
    region = _region(reference)
    return f"`{command} --region {region}`" if region else f"`{command}`"


def _parts(reference: str) -> tuple[str, str]:
    """Split a reference; a name or an ARN has no scheme."""
    scheme, colon, name = reference.partition(":")
    return (scheme, name) if colon and scheme != "arn" else ("", reference)


def _region(reference: str) -> str | None:
    scheme, name = _parts(reference)
    return arn_region(name) or configured_region() if scheme in _OF_AWS else None
