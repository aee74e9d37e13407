"""The other secrets of a service: API keys, webhook secrets, certificates."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from token_refresh.reader.cache import Cache
from token_refresh.reader.errors import InvalidSecretDocument
from token_refresh.reader.flight import Entry
from token_refresh.reader.runtime import Runtime
from token_refresh.reader.store import SecretStore, Version
from token_refresh.reader.tokens import SOFT_SHARE, in_service, positive_seconds

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

T = TypeVar("T")

FIVE_MINUTES = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One version of a secret; its `repr` and `str` never show what it holds."""

    secret_id: str
    version_id: str
    created_at: datetime
    content: str | bytes = field(repr=False)

    def text(self) -> str:
        """Give the content of `SecretString`."""
        if isinstance(self.content, bytes):
            raise InvalidSecretDocument(f"{self.secret_id} is binary: read it with binary()")
        return self.content

    def json(self) -> Any:
        """Give the content of `SecretString`, parsed; a new object at each call."""
        try:
            return json.loads(self.text())
        except (ValueError, RecursionError):
            pass  # raised below, away from the parser's error, which holds the content
        raise InvalidSecretDocument(f"{self.secret_id} is not JSON: read it with text()")

    def binary(self) -> bytes:
        """Give the content of `SecretBinary`, or that of `SecretString` in UTF-8."""
        return self.content if isinstance(self.content, bytes) else self.content.encode()


class SecretReader:
    """Reads one secret and keeps it for `ttl`; while Secrets Manager is down, for as long as that takes."""

    def __init__(
        self,
        secret_id: str,
        *,
        ttl: timedelta = FIVE_MINUTES,
        client: "SecretsManagerClient | None" = None,
        background: bool | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Remember what to read.

        Args:
            secret_id: Name or ARN of the secret.
            ttl: How old the cached value may be before a caller waits for a newer read.
            client: A boto3 client for Secrets Manager; without it, one with short timeouts is made on first use.
            background: Whether reads before the end of the TTL run in the background; by default, except in Lambda.
            runtime: Time, threads and chance, for tests.
        """
        store = SecretStore(client)
        self._cache = _cache(lambda: _secret(store.read(secret_id)), ttl, background=background, runtime=runtime)

    def secret(self) -> Secret:
        """Give the current version.

        Raises:
            TokenRefreshError: There is none, and none in the cache; the message says why and what to do.
        """
        return self._cache.get()

    async def asecret(self) -> Secret:
        """Do what `secret` does, without ever blocking the event loop."""
        return await self._cache.aget()

    def text(self) -> str:
        """Give the current version's text."""
        return self.secret().text()

    def json(self) -> Any:
        """Give the current version's text, parsed."""
        return self.secret().json()

    def binary(self) -> bytes:
        """Give the current version's bytes."""
        return self.secret().binary()

    def reject(self, secret: Secret) -> bool:
        """Check on demand whether `secret`, which was of no use, is still current; True if there is another version.

        One read however many threads come, none if it was already replaced; the same version isn't read again at once.
        """
        return self._cache.reject(lambda cached: cached.version_id == secret.version_id)

    async def areject(self, secret: Secret) -> bool:
        """Do what `reject` does, without ever blocking the event loop."""
        return await self._cache.areject(lambda cached: cached.version_id == secret.version_id)


class SecretGroup:
    """Reads several secrets together, up to twenty with one `BatchGetSecretValue`, and keeps them like `SecretReader`.

    The caller needs `secretsmanager:BatchGetSecretValue`, and `GetSecretValue` on each. They come together or not at
    all: one that is missing is an error that names it.
    """

    def __init__(
        self,
        *secret_ids: str,
        ttl: timedelta = FIVE_MINUTES,
        client: "SecretsManagerClient | None" = None,
        background: bool | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Remember what to read; the arguments are those of `SecretReader`."""
        store = SecretStore(client)

        def read() -> dict[str, Secret]:
            return {secret_id: _secret(version) for secret_id, version in store.read_all(secret_ids).items()}

        self._cache = _cache(read, ttl, background=background, runtime=runtime)

    def __getitem__(self, secret_id: str) -> Secret:
        """Give the current version of one of the secrets; `KeyError` for one that isn't of the group."""
        return self._cache.get()[secret_id]

    def reject(self, secret: Secret) -> bool:
        """Check on demand whether `secret` is still current, as `SecretReader.reject` does; reads the whole group."""
        return self._cache.reject(lambda cached: cached[secret.secret_id].version_id == secret.version_id)

    async def asecret(self, secret_id: str) -> Secret:
        """Do what `group[secret_id]` does, without ever blocking the event loop."""
        return (await self._cache.aget())[secret_id]


def _secret(version: Version) -> Secret:
    return Secret(
        secret_id=version.secret_id,
        version_id=version.version_id,
        created_at=version.created_at,
        content=version.content,
    )


def _cache(read: Callable[[], T], ttl: timedelta, *, background: bool | None, runtime: Runtime | None) -> Cache[T]:
    """Make a cache whose value never expires, but is read anew at the end of its TTL."""
    ttl_seconds = positive_seconds("ttl", ttl)
    chosen = runtime or Runtime()

    def read_entry(_previous: Entry[T] | None, _rejecting: Callable[[], bool]) -> Entry[T]:
        value, now = read(), chosen.clock()
        # Readers that began together part ways.
        soft_seconds = ttl_seconds * (SOFT_SHARE - 0.1 * chosen.chance())
        return Entry(value=value, refresh_at=now + soft_seconds, wait_at=now + ttl_seconds, expires_at=math.inf)

    return Cache(read_entry, background=in_service() if background is None else background, runtime=chosen)
