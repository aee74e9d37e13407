"""Where a secret is: one reference, one source, never a fallback to another.

a name or an ARN       AWS Secrets Manager
ssm:/path              a parameter of AWS Systems Manager Parameter Store
amplify:NAME           a secret of an Amplify function: its own path, then the shared one
env:NAME, file:PATH    local development; refused in Lambda
"""

import re
from enum import Enum
from typing import Final, NamedTuple

from token_refresh.aws.arn import parse_arn
from token_refresh.errors import ConfigurationError
from token_refresh.reader.runtime import in_lambda

# What Amplify puts into a function's variable in place of a secret.
AMPLIFY_PLACEHOLDER: Final = "<value will be resolved during runtime>"

_SECRET_NAME: Final = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_PARAMETER_NAME: Final = re.compile(r"[A-Za-z0-9/_.-]{1,2048}")
_EXAMPLES: Final = "the name or ARN of a secret, ssm:/path, amplify:NAME, env:NAME or file:PATH"


class ReferenceScheme(Enum):
    """The kinds of references."""

    SECRET = ""
    PARAMETER = "ssm"
    AMPLIFY = "amplify"
    ENVIRONMENT = "env"
    FILE = "file"


class Reference(NamedTuple):
    """A reference, parsed."""

    scheme: ReferenceScheme
    name: str
    """The reference without its scheme."""
    text: str
    """The reference as it was given."""


def parse_reference(text: str) -> Reference:
    """Parse a reference.

    A malformed one is not quoted: it may be a secret that was passed in place of its name.

    Raises:
        ConfigurationError: It is empty or malformed, or it is local and this is Lambda.
    """
    given: object = text
    if not isinstance(given, str) or not given.strip():
        found = "an empty string" if isinstance(given, str) else type(given).__name__
        raise ConfigurationError(f"a reader needs a reference and got {found}: give {_EXAMPLES}")
    # Checked before the form: the placeholder has spaces, and "malformed" would not help.
    if given == AMPLIFY_PLACEHOLDER:
        raise ConfigurationError(
            "the reference is Amplify's placeholder for a secret: give amplify:NAME with the variable's name, not the "
            "variable's value"
        )
    scheme, separator, name = given.partition(":")
    # Names in Secrets Manager can't hold a colon (CreateSecret, parameter Name), so a colon means a scheme or an ARN.
    if not separator or scheme == "arn":
        return _secret(given)
    schemes = {member.value: member for member in ReferenceScheme if member is not ReferenceScheme.SECRET}
    if scheme not in schemes or not name.strip():
        raise ConfigurationError(f"the reference is malformed: give {_EXAMPLES}")
    return _checked(Reference(scheme=schemes[scheme], name=name, text=given))


def _secret(text: str) -> Reference:
    arn = parse_arn(text)
    if _SECRET_NAME.fullmatch(text) is None and (arn is None or arn.service != "secretsmanager"):
        raise ConfigurationError(f"the reference can't be the name or ARN of a secret: give {_EXAMPLES}")
    return Reference(scheme=ReferenceScheme.SECRET, name=text, text=text)


def _checked(reference: Reference) -> Reference:
    # GetParameters takes `name:label` too; then a rotation would not be noticed.
    if reference.scheme is ReferenceScheme.PARAMETER and _PARAMETER_NAME.fullmatch(reference.name) is None:
        raise ConfigurationError(
            f"{ascii(reference.text)[1:-1]} must be a parameter's path without a version, a label, an ARN or white "
            "space, as in ssm:/app/dev/key"
        )
    if reference.scheme in {ReferenceScheme.ENVIRONMENT, ReferenceScheme.FILE} and in_lambda():
        raise ConfigurationError(
            f"{reference.text} is for local development and is refused in Lambda: store the secret in Secrets Manager "
            "and give its name, or use ssm: or amplify:"
        )
    return reference
