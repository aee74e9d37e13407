"""`ListSecrets` of the strict Secrets Manager: filters match prefixes, a page has at most 100 secrets, values stay out.

See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from testbed.aws.errors import ServiceError
from testbed.aws.service import Request, Response
from testbed.secrets_manager.state import StoredSecret

SECRETS_PER_PAGE: Final = 100


def list_secrets(secrets: Iterable[StoredSecret], request: Request) -> Response:
    """Return one page of the secrets that all filters match."""
    size = request.get("MaxResults", SECRETS_PER_PAGE)
    if not 1 <= size <= SECRETS_PER_PAGE:
        raise ServiceError("InvalidParameterException", f"MaxResults must be from 1 to {SECRETS_PER_PAGE}.")
    filters = request.get("Filters", ())
    found = sorted(
        (s for s in secrets if s.deleted_at is None and all(_matches(s, wanted) for wanted in filters)),
        key=lambda secret: secret.name,
    )
    start = int(request.get("NextToken", "0"))
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {"SecretList": [_described(secret) for secret in found[start : start + size]], **more}


def _matches(secret: StoredSecret, wanted: Any) -> bool:
    kind, values = wanted["Key"], tuple(wanted["Values"])
    return any(text.startswith(values) for text in _texts(secret, kind))


def _texts(secret: StoredSecret, kind: str) -> Sequence[str]:
    match kind:
        case "name":
            return [secret.name]
        case "tag-key":
            return [key for key, _ in secret.tags]
        case "tag-value":
            return [value for _, value in secret.tags]
        case _:
            raise ServiceError("InvalidParameterException", "This server knows the filters name, tag-key, tag-value.")


def _described(secret: StoredSecret) -> dict[str, Any]:
    return {
        **secret.identity,
        "CreatedDate": secret.created_at,
        "LastChangedDate": secret.changed_at,
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags],
    }
