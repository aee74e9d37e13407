"""All versions of a secret, from however many pages."""

from collections.abc import Iterator
from typing import Any

from token_refresh_worker.cli.context import Context


def each_version(context: Context) -> Iterator[dict[str, Any]]:
    """Yield the `SecretVersionsListEntry` of each version that still exists, with or without labels.

    Source: the API page of `ListSecretVersionIds`.

    Raises:
        SecretStoreError: Secrets Manager refused, or can't be reached.
    """
    action, name = "secretsmanager:ListSecretVersionIds", context.secret_id
    for page in context.pages(action, "secret", name, SecretId=name, IncludeDeprecated=True, MaxResults=50):
        yield from page["Versions"]
