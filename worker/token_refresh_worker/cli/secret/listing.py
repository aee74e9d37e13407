"""All versions of a secret, from however many pages."""

from collections.abc import Callable, Iterator
from typing import Any


def each_version(call: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the `SecretVersionsListEntry` of each version that still exists, with or without labels.

    Source: the API page of `ListSecretVersionIds`.

    Args:
        call: Carries out `ListSecretVersionIds` on the secret with these members, and translates its errors.
    """
    more: dict[str, str] = {}
    while True:
        page = call(IncludeDeprecated=True, MaxResults=50, **more)
        yield from page["Versions"]
        if "NextToken" not in page:
            return
        more = {"NextToken": page["NextToken"]}
