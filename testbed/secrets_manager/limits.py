"""What Secrets Manager refuses: its errors, as its clients know them, and the limits of its API reference."""

from collections.abc import Mapping
from typing import Any

from testbed.aws.errors import ServiceError

__all__ = ["ServiceError"]

ACCOUNT_ID = "123456789012"
DAY_SECONDS = 86_400
LABELS_PER_SECRET = 20
SECRETS_PER_BATCH = 20
VERSIONS_PER_SECRET = 100

LENGTHS = {
    "ClientRequestToken": (32, 64),
    "MoveToVersionId": (32, 64),
    "Name": (1, 512),
    "RemoveFromVersionId": (32, 64),
    "SecretBinary": (1, 65_536),
    "SecretId": (1, 2_048),
    "SecretString": (1, 65_536),
    "VersionId": (32, 64),
    "VersionStage": (1, 256),
    "VersionStages": (1, 20),
}


def not_found(value: str | None = None) -> ServiceError:
    """Return what the service says of a missing secret or, with "VersionId: ..." or the like, of a missing value.

    The code is the same for both: only the text tells them apart.
    """
    missing = f"secret value for {value}" if value else "secret."
    return ServiceError("ResourceNotFoundException", f"Secrets Manager can't find the specified {missing}")


def checked(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a request whose members have the lengths that the API reference allows.

    Raises:
        ServiceError: One is too short or too long; the text never quotes it.
    """
    stages = [("VersionStage", stage) for stage in request.get("VersionStages", ())]
    for member, value in [*request.items(), *stages]:
        shortest, longest = LENGTHS.get(member, (0, None))
        length = len(value.encode()) if isinstance(value, str) else len(value) if longest else 0
        if length < shortest:
            raise _wrong_length(member, f"greater than or equal to {shortest}")
        if longest is not None and length > longest:
            raise _wrong_length(member, f"less than or equal to {longest}")
    return request


def _wrong_length(member: str, bound: str) -> ServiceError:
    where = f"Value at '{member[0].lower()}{member[1:]}'"
    constraint = f"Member must have length {bound}"
    return ServiceError(
        "ValidationException", f"1 validation error detected: {where} failed to satisfy constraint: {constraint}"
    )
