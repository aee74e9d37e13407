"""Says where a signing secret is, and which command stores another one, for messages."""

import shlex

from token_refresh.aws.arn import arn_region
from token_refresh.aws.clients import configured_region

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
    command = _COMMANDS[scheme].format(name=shlex.quote(name))
    region = _region(reference)
    return f"`{command} --region {region}`" if region else f"`{command}`"


def _parts(reference: str) -> tuple[str, str]:
    """Split a reference; a name or an ARN has no scheme."""
    scheme, colon, name = reference.partition(":")
    return (scheme, name) if colon and scheme != "arn" else ("", reference)


def _region(reference: str) -> str | None:
    scheme, name = _parts(reference)
    return arn_region(name) or configured_region() if scheme in _OF_AWS else None
