"""The other secrets of a service: API keys, webhook secrets, certificates; alone, or several that are read together."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from token_refresh.errors import ConfigurationError, SecretStoreUnavailable, TokenRefreshError
from token_refresh.reader.lifetimes import seconds_of, secret_cache
from token_refresh.reader.runtime import Runtime
from token_refresh.reader.secret import Secret, same_version, secrets_of
from token_refresh.reader.sources.choice import open_sources
from token_refresh.reference import parse_reference

if TYPE_CHECKING:
    from botocore.client import BaseClient

DEFAULT_TTL: Final = timedelta(minutes=5)

logger = logging.getLogger("token_refresh.reader")


class SecretReader:
    """Reads one secret and keeps it for `ttl`; if its store is down, for as long as that takes."""

    def __init__(  # noqa: PLR0913 - one argument that everybody gives, and eight that few need
        self,
        secret_id: str,
        *,
        field: str | None = None,
        overlap: timedelta = timedelta(),
        ttl: timedelta = DEFAULT_TTL,
        max_stale: timedelta | None = None,
        region: str | None = None,
        client: "BaseClient | None" = None,
        background: bool | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Remember what to read; nothing is sent to AWS before the first call.

        Args:
            secret_id: Name or ARN of the secret, or a reference: `ssm:/path`, `amplify:NAME`, `env:NAME`, `file:PATH`.
                All but the last two may end in `#field`.
            field: A key of the secret's JSON object, whose value is a string or a list of strings; by default the
                whole secret is the value. `SecretReader("slack#key")` is `SecretReader("slack", field="key")`.
            overlap: How long after a new version was stored the previous one is accepted, see `accepted`.
            ttl: The age of a cached value at which a caller waits for a newer read.
            max_stale: The greatest age of a cached value while the store is down; by default there is no limit.
            region: The region of the secret; by default that of the ARN, of AWS_REGION or of the profile.
            client: A boto3 client of the service that holds the secret; by default one with short timeouts.
            background: Whether a read shortly before the end of the TTL runs in the background; by default, except in
                Lambda.
            runtime: Time, threads and chance, for tests.

        Raises:
            ConfigurationError: An argument is wrong; the message names it.
        """
        self._runtime = runtime or Runtime()
        self._reference = parse_reference(secret_id)
        sources = open_sources([self._reference], client=client, region=region)
        self._source = sources[self._reference.scheme]
        if field is not None and self._reference.field is not None:
            raise ConfigurationError(f"{secret_id} names a field, and field= gives one, too: leave one of them out")
        self._field = self._reference.field if field is None else field
        self._overlap_seconds = seconds_of("overlap", overlap, least=timedelta())
        self._last: tuple[Secret, ...] = ()
        self._warned_of: str | None = None
        self._cache = secret_cache(
            self._read,
            name=self._reference.text,
            ttl=ttl,
            max_stale=max_stale,
            background=background,
            runtime=self._runtime,
        )

    def secret(self) -> Secret:
        """Return the current version.

        Raises:
            TokenRefreshError: It can't be read, and none is cached; the message says why and what to do.
        """
        return self.accepted()[0]

    async def asecret(self) -> Secret:
        """Do what `secret` does, without ever blocking the event loop."""
        return (await self.aaccepted())[0]

    def accepted(self) -> tuple[Secret, ...]:
        """Return the values that are accepted now, the current one first.

        The version before is accepted until `overlap` after the current one was stored. The other strings of a list in
        the `field` are accepted for as long as they are in it.

        Raises:
            TokenRefreshError: They can't be read, and none are cached; the message says why and what to do.
        """
        return self._in_time(self._cache.get())

    async def aaccepted(self) -> tuple[Secret, ...]:
        """Do what `accepted` does, without ever blocking the event loop."""
        return self._in_time(await self._cache.aget())

    def text(self) -> str:
        """Return the current version's text.

        Raises:
            InvalidSecretDocument: It is binary.
            TokenRefreshError: As for `secret`.
        """
        return self.secret().text()

    async def atext(self) -> str:
        """Do what `text` does, without ever blocking the event loop."""
        return (await self.asecret()).text()

    def json(self) -> Any:
        """Return the current version's text, parsed; a new object at each call.

        Raises:
            InvalidSecretDocument: It is not JSON.
            TokenRefreshError: As for `secret`.
        """
        return self.secret().json()

    async def ajson(self) -> Any:
        """Do what `json` does, without ever blocking the event loop."""
        return (await self.asecret()).json()

    def binary(self) -> bytes:
        """Return the current version's bytes; of a text, in UTF-8.

        Raises:
            TokenRefreshError: As for `secret`.
        """
        return self.secret().binary()

    async def abinary(self) -> bytes:
        """Do what `binary` does, without ever blocking the event loop."""
        return (await self.asecret()).binary()

    def reject(self, secret: Secret) -> bool:
        """Check whether `secret`, which did not work, is still current; return True if there is another version.

        All threads share one read, and there is none if it was replaced already. The same version is read again only
        after pauses that grow from 1 s to 5 minutes: rejecting without end costs about 290 reads a day.

        Args:
            secret: The version that did not work.
        """
        return self._cache.reject(lambda cached: same_version(cached[0], secret))

    async def areject(self, secret: Secret) -> bool:
        """Do what `reject` does, without ever blocking the event loop."""
        return await self._cache.areject(lambda cached: same_version(cached[0], secret))

    def _read(self) -> tuple[Secret, ...]:
        current = secrets_of(self._source.read(self._reference), self._field, "current")
        # Outside the overlap no call: it would be denied where the policy allows AWSCURRENT alone.
        if self._accepts_previous(current[0]):
            current += self._read_previous(current[0].version_id)
        self._last = current
        return current

    def _read_previous(self, current_id: str) -> tuple[Secret, ...]:
        """Read the values of the version before; none if it can't be used: the current one works without it."""
        try:
            version = self._source.read_previous(self._reference)
            return () if version is None else secrets_of(version, self._field, "previous")
        except TokenRefreshError as error:
            self._warn(current_id, error)
            known = self._last and self._last[0].version_id == current_id
            if not known or not isinstance(error, SecretStoreUnavailable):
                return ()
        # Throttled or unreachable: what was read before stays accepted, until the overlap ends by the clock.
        return tuple(secret for secret in self._last if secret.version_id != current_id)

    def _warn(self, current_id: str, error: TokenRefreshError) -> None:
        # Once for each current version: every rotation shows it, and each further read would repeat it.
        if self._warned_of != current_id:
            self._warned_of = current_id
            kind = type(error).__name__
            facts = {"event": "previous_unusable", "secret": self._reference.text, "error": kind}
            logger.warning("the previous version can't be used: %s: %s", kind, error, extra=facts)

    def _in_time(self, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        """Leave out the previous version once the overlap is over: by the clock, not by the cache."""
        current = secrets[0]
        if self._accepts_previous(current):
            return secrets
        return tuple(secret for secret in secrets if secret.version_id == current.version_id)

    def _accepts_previous(self, current: Secret) -> bool:
        # The age of the current version, so that after a rollback the bad version is not accepted (test_accepted.py).
        # Never without an overlap: a clock behind the store's would accept what leaked for as long as it is behind.
        ends_at = current.created_at.timestamp() + self._overlap_seconds
        return self._overlap_seconds > 0 and self._runtime.clock() < ends_at


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
            ttl: The age of the whole group at which a caller waits for a newer read.
            max_stale: The group's greatest age while the store is down; by default there is no limit.
            region: Where the secrets are; by default the region of an ARN, of AWS_REGION or of the profile.
            client: A boto3 client of the service that holds them; by default one with short timeouts.
            background: Whether a read just before the end of the TTL runs in the background; not in Lambda, by default.
            runtime: Time, threads and chance, for tests.

        Raises:
            ConfigurationError: An argument is wrong; the message names it.
        """
        chosen = runtime or Runtime()
        self._references = tuple(parse_reference(secret_id) for secret_id in secret_ids)
        self._sources = open_sources(self._references, client=client, region=region)
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
