"""The access token that the worker keeps fresh: `TokenReader("upwork-oauth-tokens").get()`."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from token_refresh.advice import Advice
from token_refresh.errors import InvalidSecretDocument, SecretEmpty, without_traceback
from token_refresh.reader.cache import Cache
from token_refresh.reader.errors import TokenExpired
from token_refresh.reader.fetch import FETCH_SECONDS, CacheEntry
from token_refresh.reader.lifetimes import SOFT_SHARE, seconds_of
from token_refresh.reader.on_demand import INVOKE_LIMITS, RefreshFunction
from token_refresh.reader.runtime import Runtime, in_lambda
from token_refresh.reader.sources.choice import open_sources
from token_refresh.reader.token import CachedToken, RefreshPattern, Token, TokenHealth
from token_refresh.reference import parse_reference
from token_refresh.secret_value import SecretValue
from token_refresh.stored.access_token import read_access_token
from token_refresh.stored.times import iso

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_lambda import LambdaClient

    from token_refresh.reader.sources.source import Version


class TokenReader:
    """Reads the access token from the worker's secret, or from the copy that it publishes for consumers.

    Make one for each secret, once, and share it: it is safe under threads, forks and SnapStart.
    """

    def __init__(  # noqa: PLR0913 - one argument that everybody gives, and seven that few need
        self,
        secret_id: str,
        *,
        region: str | None = None,
        client: "BaseClient | None" = None,
        max_age: timedelta | None = None,
        background: bool | None = None,
        refresh_function: str | None = None,
        lambda_client: "LambdaClient | None" = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Remember what to read; nothing is sent to AWS before the first call.

        Args:
            secret_id: Name or ARN of the secret, or a reference: `ssm:/path`, `amplify:NAME`, `env:NAME`, `file:PATH`.
                Where the token document is a field of a JSON object, all but the last two end in `#field`.
            region: The region of the secret; by default that of the ARN, of AWS_REGION or of the profile.
            client: A boto3 client of the service that holds the secret; by default one with short timeouts.
            max_age: The greatest age of a cached token before a caller waits for a newer read. Expiry is observed
                without it. A failed read never withholds a token that is still valid.
            background: Whether soft reads run in the background; by default they do except in Lambda, which freezes
                threads between invocations.
            refresh_function: Name or ARN of the worker's function; the reader invokes it if the stored token is expired
                or was rejected. Needs `lambda:InvokeFunction`.
            lambda_client: A boto3 client of Lambda, for `refresh_function`.
            runtime: Time, threads and chance, for tests.

        Raises:
            ConfigurationError: An argument is wrong; the message names it.
        """
        self._runtime = runtime or Runtime()
        self._clock = self._runtime.clock
        self._reference = parse_reference(secret_id)
        sources = open_sources([self._reference], client=client, region=region, asked_by="TokenReader")
        self._source = sources[self._reference.scheme]
        self._max_age_seconds = math.inf if max_age is None else seconds_of("max_age", max_age)
        self._pattern = RefreshPattern()
        self._worker: RefreshFunction | None = None
        if refresh_function is not None:
            self._worker = RefreshFunction(refresh_function, client=lambda_client, runtime=self._runtime)
        self._fresh = CachedToken(None, -math.inf)
        self._cache: Cache[Token] = Cache(
            self._read,
            background=not in_lambda() if background is None else background,
            runtime=self._runtime,
            name=self._reference.text,
            # Whatever the store says of its version: each change lets rejections read without a pause.
            same=lambda one, other: _holds(one)(other),
            publish=self._serve,
            # Callers wait for the worker's run as well.
            fetch_seconds=FETCH_SECONDS if self._worker is None else FETCH_SECONDS + INVOKE_LIMITS.read_seconds,
        )

    def get(self) -> str:
        """Return the access token's value; never an expired one.

        Raises:
            TokenRefreshError: There is no valid token; the subclass and the message say why and what to do.
        """
        # Without the lock, and one call: 0.1 µs, since services ask before every request. A newer one is as good.
        if self._clock() < self._fresh.until:
            return self._fresh.value
        return self._cache.get().value

    async def aget(self) -> str:
        """Do what `get` does, without ever blocking the event loop."""
        return (await self.atoken()).value

    def token(self) -> Token:
        """Return the access token with its expiry and its version.

        Raises:
            TokenRefreshError: There is no valid token; the subclass and the message say why and what to do.
        """
        fresh = self._fresh
        return fresh.token if fresh.token and self._clock() < fresh.until else self._cache.get()

    async def atoken(self) -> Token:
        """Do what `token` does, without ever blocking the event loop."""
        fresh = self._fresh
        return fresh.token if fresh.token and self._clock() < fresh.until else await self._cache.aget()

    def health(self) -> TokenHealth:
        """Return how the cached token is, for health checks and metrics: reads nothing, and never fails."""
        entry, error = self._cache.state()
        now = self._clock()
        return TokenHealth(
            seconds_to_expiry=None if entry is None else entry.expires_at - now,
            age_seconds=None if entry is None else now - entry.read_at,
            last_error=error and without_traceback(error),
        )

    def reject(self, token: str | Token) -> bool:
        """Report that the API responded with 401 to this token; return True if another one is worth one more try.

        Reads the newest version: once for all threads, and not at all if the token was replaced already. False means a
        real 401: the stored token is the same, or could not be read. The same token is read again only after pauses of
        1 to 30 s, so an API that rejects everything costs few calls.

        Args:
            token: The token that was rejected, or its value.
        """
        return self._cache.reject(_holds(token))

    async def areject(self, token: str | Token) -> bool:
        """Do what `reject` does, without ever blocking the event loop."""
        return await self._cache.areject(_holds(token))

    def _serve(self, token: Token, until: float) -> None:
        # Replaced whole: the fast path reads it without the lock.
        self._fresh = CachedToken(token, until)

    def _read(self, previous: CacheEntry[Token] | None, rejecting: Callable[[], bool]) -> CacheEntry[Token]:
        cached = None if previous is None else previous.value
        version, token = self._read_token()
        asked: Advice = ()
        worker = self._worker
        if worker and self._is_expired(token):
            asked = ("; ", *worker.refresh_expired())
            version, token = self._read_token()
        elif worker and cached and token.value == cached.value and rejecting() and worker.refresh_rejected(token):
            version, token = self._read_token()
        # After the worker was asked: its result is in the store, not in its response.
        if self._is_expired(token):
            if cached is None or self._is_expired(cached):
                raise TokenExpired(
                    f"{version.request.place}: the access token expired at {iso(token.expires_at)} "
                    f"(version {version.version_id}) and there is no newer one",
                    fix=(*version.how_to_renew, *asked),
                )
            token = cached  # someone made an old version current; the cached token is better
        if cached is not None:
            self._pattern.learn(cached, token)
        return self._entry(token)

    def _read_token(self) -> tuple["Version", Token]:
        version = self._source.read(self._reference)
        if isinstance(version.content, bytes):
            raise InvalidSecretDocument(f"{version.origin} is binary: a token document is JSON text")
        stored = read_access_token(
            SecretValue(version.content), version.origin, version.reference.field, version.created_at
        )
        if stored is None:
            what = f"{version.origin} has no access token: none is published yet, or the grant was revoked"
            raise SecretEmpty(what, fix=version.how_to_renew)
        return version, Token(
            value=stored.value.reveal(),
            expires_at=stored.expires_at,
            version_id=version.version_id,
            created_at=version.created_at,
            extra=stored.extra,
        )

    def _is_expired(self, token: Token) -> bool:
        return self._clock() >= token.expires_at.timestamp()

    def _entry(self, token: Token) -> CacheEntry[Token]:
        now, chance = self._clock(), self._runtime.chance()
        read_at = self._pattern.next_read_at(token, now=now, chance=chance)
        return CacheEntry(
            value=token,
            read_at=now,
            # Infinity without `max_age`, so the pattern alone decides.
            refresh_at=min(read_at, now + SOFT_SHARE * self._max_age_seconds),
            wait_at=now + self._max_age_seconds,
            expires_at=token.expires_at.timestamp(),
        )


def _holds(token: str | Token) -> Callable[[Token], bool]:
    # Masked: the closure stays in frames that error reporters show.
    value = SecretValue(token.value if isinstance(token, Token) else token)
    return lambda cached: SecretValue(cached.value) == value
