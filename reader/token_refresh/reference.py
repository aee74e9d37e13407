"""Where a secret is: one reference, one source, never a fallback to another.

a name or an ARN       AWS Secrets Manager
ssm:/path              a parameter of AWS Systems Manager Parameter Store
amplify:NAME           a secret of an Amplify function: its own path, then the shared one
env:NAME, file:PATH    local development; refused in Lambda

The first three may end in `#field`, a key of the JSON object that is stored there. Names and paths of AWS have no `#`;
those of variables and files may have one.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from token_refresh.errors import ConfigurationError

# What Amplify puts into a function's variable in place of a secret.
AMPLIFY_PLACEHOLDER: Final = "<value will be resolved during runtime>"

_NAME_OR_ARN: Final = "the name or ARN of a secret"
_EXAMPLES: Final = f"{_NAME_OR_ARN}, ssm:/path, amplify:NAME, env:NAME or file:PATH"
_PARAMETER: Final = "a parameter's path without a version, a label, an ARN or white space, as in ssm:/app/dev/key"


class ReferenceScheme(Enum):
    """The kinds of references."""

    SECRET = ""
    PARAMETER = "ssm"
    AMPLIFY = "amplify"
    ENVIRONMENT = "env"
    FILE = "file"

    @property
    def is_local(self) -> bool:
        """Whether it names something on this machine."""
        return self in {ReferenceScheme.ENVIRONMENT, ReferenceScheme.FILE}


class Reference(NamedTuple):
    """A reference, parsed."""

    scheme: ReferenceScheme
    name: str
    """The reference without its scheme and its field."""
    text: str
    """The reference as it was given."""
    field: str | None = None
    """The key of a JSON object; None: the whole secret is the value."""


# What stands one after the other in a name or ARN, and after a scheme. Names in Secrets Manager can't hold a colon
# (CreateSecret, parameter Name), so a colon means a scheme or an ARN. GetParameters takes `name:label` too; then a
# rotation would not be noticed, so a path has no colon either.
_NAME: Final = ("[A-Za-z0-9/_+=.@-]{1,512}",)
_ARN: Final = ("arn:", "aws[a-z-]*:", "secretsmanager:", "[a-z0-9-]+", ":", r"\d{12}", ":secret:", *_NAME)
_PARTS: Final[Mapping[ReferenceScheme, tuple[str, ...]]] = {
    ReferenceScheme.PARAMETER: ("ssm:", "[A-Za-z0-9/_.-]{1,2048}"),
    ReferenceScheme.AMPLIFY: ("amplify:", "[A-Za-z0-9/_.-]{1,2048}"),
    ReferenceScheme.ENVIRONMENT: ("env:", r"(?s:\s*\S.*)"),
    ReferenceScheme.FILE: ("file:", r"(?s:\s*\S.*)"),
}


def parse_reference(text: str) -> Reference:
    """Parse a reference.

    A malformed one is not quoted: it may be a secret that was passed in place of its name.
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
    reference = _split(given)
    wrong_at = _wrong_at(reference)
    if wrong_at is not None:
        give = _PARAMETER if reference.scheme is ReferenceScheme.PARAMETER else _EXAMPLES
        raise ConfigurationError(f"the reference is malformed: {_wrong(given, wrong_at)}", fix=f"Give {give}")
    return reference


def parse_secret_id(setting: str, text: str) -> Reference:
    """Parse a reference to a secret of Secrets Manager, which may end in `#field`; an error begins with the setting."""
    reference = _split(text)
    # Of another scheme, the colon after it is the first wrong character.
    wrong_at = _wrong_at(reference) if reference.scheme is ReferenceScheme.SECRET else len(reference.scheme.value)
    if wrong_at is not None:
        problem = f"must be {_NAME_OR_ARN}, which may end in #field, and is malformed: {_wrong(text, wrong_at)}"
        raise ConfigurationError.of(setting, problem)
    return reference


def split_reference(text: str) -> Reference:
    """Split a reference that a reader has parsed, or any other text, as messages have it: all of it is a name then."""
    reference = _split(text)
    if reference.field is None or _wrong_at(reference) is None:
        return reference
    return reference._replace(name=f"{reference.name}#{reference.field}", field=None)


def _split(text: str) -> Reference:
    scheme, colon, rest = text.partition(":")
    known = {member.value: member for member in _PARTS}
    found = known.get(scheme) if colon else None
    if found is not None and found.is_local:
        return Reference(scheme=found, name=rest, text=text)
    name, sign, field = (text if found is None else rest).partition("#")
    return Reference(scheme=found or ReferenceScheme.SECRET, name=name, text=text, field=field if sign else None)


def _wrong_at(reference: Reference) -> int | None:
    """Find the first wrong character; the length of the text if something is missing at its end."""
    text = reference.text
    end = 0
    for part in _PARTS.get(reference.scheme) or (_ARN if text.startswith("arn:") else _NAME):
        found = re.compile(part).match(text, end)
        if found is None:
            # Of white space alone, as after `env:`, the end is what is wrong: no character would be right.
            return end if text[end:].strip() else len(text)
        end = found.end()
    if reference.field is None:
        return None if end == len(text) else end
    begin = len(text) - len(reference.field)
    if end != begin - 1:
        return end
    unprintable = (begin + at for at, character in enumerate(reference.field) if not character.isprintable())
    return next(unprintable, None if reference.field.strip() else len(text))


def _wrong(text: str, at: int) -> str:
    """Say where the wrong character is; the character itself may be one of a secret."""
    if at == len(text):
        return f"it ends after {at} characters"
    return f"character {at + 1} of {len(text)} can't be there"
