"""Several secrets that are read together."""

from datetime import timedelta
from typing import TYPE_CHECKING

from token_refresh.reader.lifetimes import secret_cache
from token_refresh.reader.runtime import Runtime
from token_refresh.reader.secret import Secret, same_version, secrets_of
from token_refresh.reader.secrets import DEFAULT_TTL
from token_refresh.reader.sources.choice import open_sources
from token_refresh.reference import parse_reference

if TYPE_CHECKING:
    from botocore.client import BaseClient


class SecretGroup:
    """Reads several secrets together, up to twenty with one `BatchGetSecretValue`, and keeps them like `SecretReader`.

    The caller needs `secretsmanager:BatchGetSecretValue`, and `GetSecretValue` on each. All are read or none: a missing
    one is an error that names it.
    """

    def __init__(  # noqa: PLR0913 - the references, and six arguments that few need
        self,
        *secret_ids: str,
        ttl: timedelta = DEFAULT_TTL,
        max_stale: timedelta | None = None,
        region: str | None = None,
        client: "BaseClient | None" = None,
        background: bool | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Remember what to read; nothing is sent to AWS before the first call.

        Args:
            secret_ids: Names or ARNs of the secrets, or other references, as `SecretReader` takes them: `slack#key` is
                a field of a JSON object. Of a list in it, the first string is read.
            ttl: The age of the cached group at which a caller waits for a newer read.
            max_stale: The greatest age of the cached group while the store is down; by default there is no limit.
            region: The region of the secrets; by default that of an ARN, of AWS_REGION or of the profile.
            client: A boto3 client of the service that holds the secrets; by default one with short timeouts.
            background: Whether a read shortly before the end of the TTL runs in the background; by default, except in
                Lambda.
            runtime: Time, threads and chance, for tests.

        Raises:
            ConfigurationError: An argument is wrong; the message names it.
        """
        chosen = runtime or Runtime()
        self._references = tuple(parse_reference(secret_id) for secret_id in secret_ids)
        self._sources = open_sources(self._references, client=client, region=region, clock=chosen.clock)
        self._cache = secret_cache(
            self._read, name=", ".join(secret_ids), ttl=ttl, max_stale=max_stale, background=background, runtime=chosen
        )

    def __getitem__(self, secret_id: str) -> Secret:
        """Return the current version of one of the secrets.

        Args:
            secret_id: Its reference, as the group was given it.

        Raises:
            KeyError: It is not in the group.
            TokenRefreshError: A secret can't be read, and none are cached; the message says why and what to do.
        """
        return self._cache.get()[secret_id]

    async def asecret(self, secret_id: str) -> Secret:
        """Do what `__getitem__` does, without ever blocking the event loop."""
        return (await self._cache.aget())[secret_id]

    def reject(self, secret: Secret) -> bool:
        """Check whether `secret`, which did not work, is still current; return True if there is another version.

        Reads the whole group, as seldom as `SecretReader.reject` reads one secret.

        Args:
            secret: The version that did not work.
        """
        # All of the group is read again: a batch costs one call, as one secret would.
        return self._cache.reject(lambda cached: same_version(cached[secret.secret_id], secret))

    async def areject(self, secret: Secret) -> bool:
        """Do what `reject` does, without ever blocking the event loop."""
        return await self._cache.areject(lambda cached: same_version(cached[secret.secret_id], secret))

    def _read(self) -> dict[str, Secret]:
        found: dict[str, Secret] = {}
        # One call for each source: a group may mix Secrets Manager and Parameter Store.
        for scheme, source in self._sources.items():
            references = tuple(reference for reference in self._references if reference.scheme is scheme)
            for text, version in source.read_all(references).items():
                found[text] = secrets_of(version, version.reference.field, "current")[0]
        return found
