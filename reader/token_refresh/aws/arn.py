"""Amazon Resource Names, `arn:partition:service:region:account:resource`."""

import re
from typing import Final, NamedTuple

KMS_KEY: Final = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+"
"""The ARN of a KMS key, as a pattern."""


class Arn(NamedTuple):
    """The parts of an ARN; region and account may be empty."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


def parse_arn(text: str) -> Arn | None:
    """Split an ARN; None if the text is a name or anything else."""
    prefix, *parts = text.split(":", 5)
    return Arn(*parts) if prefix == "arn" and len(parts) == len(Arn._fields) else None


def arn_region(text: str) -> str | None:
    """Return the region of an ARN; None if the text is a name, or if the ARN has no region."""
    arn = parse_arn(text)
    # Global services leave the region empty.
    return (arn.region or None) if arn else None


def secret_name(secret_id: str) -> str:
    """Return the name in a secret's complete ARN, without the six characters that Secrets Manager appends.

    A name is returned as it is.
    """
    arn = parse_arn(secret_id)
    return secret_id if arn is None else re.sub(r"-[A-Za-z0-9]{6}\Z", "", arn.resource.removeprefix("secret:"))


def name_same_secret(one: str, other: str) -> bool:
    """Whether two names or ARNs name the same secret; a name fits an ARN with that name, in any account and region.

    Secrets Manager ends the ARN with a hyphen and six characters, which callers may leave out.
    """
    if one == other:
        return True
    # Only the longer of the two can have the suffix.
    shorter, longer = sorted((one, other), key=len)
    arn, full = parse_arn(shorter), parse_arn(longer)
    if full is None or (arn is not None and arn[:-1] != full[:-1]):
        return False
    resource = arn.resource if arn else f"secret:{shorter}"
    return re.fullmatch(rf"{re.escape(resource)}(-[A-Za-z0-9]{{6}})?", full.resource) is not None
