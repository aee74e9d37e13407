"""Amazon Resource Names, `arn:partition:service:region:account:resource`."""

from typing import NamedTuple


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
    """Give the region of an ARN; None if the text is a name, or if the ARN has no region."""
    arn = parse_arn(text)
    return (arn.region or None) if arn else None
