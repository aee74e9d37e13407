"""Client credentials as they are stored: under `clientId`, `clientSecret` or `client_id`, `client_secret`."""

from collections.abc import Mapping
from dataclasses import dataclass

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import json_type


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClientCredentials:
    """The client's identifier and, unless it is a public client, its secret."""

    client_id: str
    client_secret: SecretValue | None


def read_credentials(fields: Mapping[str, object]) -> ClientCredentials | None:
    """Find client credentials among the keys of a secret; None if there is no client identifier."""
    client_id = _read_either(fields, "clientId", "client_id")
    if client_id is None:
        return None
    client_secret = _read_either(fields, "clientSecret", "client_secret")
    return ClientCredentials(client_id=client_id, client_secret=SecretValue(client_secret) if client_secret else None)


def _read_either(fields: Mapping[str, object], camel: str, snake: str) -> str | None:
    found = {key: value for key in (camel, snake) if (value := fields.get(key)) not in (None, "")}
    for key, value in found.items():
        if not isinstance(value, str):
            raise InvalidSecretDocument(f"{key} must be a string, and is a JSON {json_type(value)}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidSecretDocument(f"{key} holds half of a surrogate pair, which can't be sent")
        if value != value.strip():  # Such as the line break at a file's end; providers say only that it is wrong.
            raise InvalidSecretDocument(f"{key} begins or ends with white space")
    # Equal ones are fine: some tools copy a key into the other spelling.
    if len(set(found.values())) > 1:
        raise InvalidSecretDocument(f"{camel} and {snake} are both there and differ; keep one")
    return str(next(iter(found.values()))) if found else None
