"""The access token that the worker keeps fresh, in one line: `TokenReader("upwork-oauth-tokens").get()`."""

import math
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from token_refresh.reader.cache import FLIGHT_SECONDS, Cache
from token_refresh.reader.errors import InvalidSecretDocument, SecretEmpty, TokenExpired
from token_refresh.reader.flight import Entry
from token_refresh.reader.on_demand import INVOKE_TIMEOUT_SECONDS, RefreshFunction
from token_refresh.reader.runtime import Runtime
from token_refresh.reader.schedule import RefreshPattern
from token_refresh.reader.store import SecretStore
from token_refresh.secret_value import SecretValue
from token_refresh.stored.access_token import read_access_token

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

# A soft refresh begins at this share of `max_age`, so that a busy service never waits for one.
SOFT_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token; its `repr` and `str` never show it.

    Attributes:
        value: What goes behind `Bearer`.
        expires_at: From then on the provider refuses it.
        version_id: The version of the secret that holds it: what may be logged to tell tokens apart.
        created_at: When that version was stored, by the clock of Secrets Manager.
    """

    value: str = field(repr=False)
    expires_at: datetime
    version_id: str
    created_at: datetime


class TokenReader:
    """Reads the access token out of the worker's secret, or out of the one that it publishes for consumers.

    Make one for each secret, once, and share it: it is safe under threads, forks and SnapStart. It asks AWS for
    nothing before the first call.
    """

    def __init__(  # noqa: PLR0913 - one thing to say, and six that hardly anybody needs to
        self,
        secret_id: str,
        *,
        client: "SecretsManagerClient | None" = None,
        max_age: timedelta | None = None,
        background: bool | None = None,
        refresh_function: str | None = None,
        lambda_client: "LambdaClient | None" = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Remember what to read.

        Args:
            secret_id: Name or ARN of the secret. An ARN also says in which region to look.
            client: A boto3 client for Secrets Manager; without it, one with short timeouts is made on first use.
            max_age: How old a cached token may be before a caller waits for a newer read. Not needed for expiry,
                which is always observed. A read that fails never refuses a token that is still valid.
            background: Whether soft refreshes run in the background; by default they do except in Lambda, which
                freezes threads between invocations.
            refresh_function: Name or ARN of the worker's function, which is asked to refresh where the stored token
                is expired or was rejected; needs `lambda:InvokeFunction` on it.
            lambda_client: A boto3 client for Lambda, for that.
            runtime: Time, threads and chance, for tests.
        """
        self._secret_id = secret_id
        self._store = SecretStore(client)
        self._max_age_seconds = math.inf if max_age is None else positive_seconds("max_age", max_age)
        self._runtime = runtime or Runtime()
        self._pattern = RefreshPattern()
        self._worker = (
            None
            if refresh_function is None
            else RefreshFunction(refresh_function, client=lambda_client, runtime=self._runtime)
        )
        self._cache: Cache[Token] = Cache(
            self._read,
            background=in_service() if background is None else background,
            runtime=self._runtime,
            flight_seconds=FLIGHT_SECONDS if self._worker is None else FLIGHT_SECONDS + INVOKE_TIMEOUT_SECONDS,
        )
        self._clock = self._runtime.clock

    def get(self) -> str:
        """Give the access token's value; never an expired one.

        Raises:
            TokenRefreshError: There is no valid token; the subclass and the message say why and what to do.
        """
        token, idle_until = self._cache.slot
        if self._clock() < idle_until:
            return token.value
        return self._cache.get().value

    async def aget(self) -> str:
        """Do what `get` does, without ever blocking the event loop."""
        return (await self.atoken()).value

    def token(self) -> Token:
        """Give the access token with its expiry and the version that it came from.

        Raises:
            TokenRefreshError: There is no valid token; the subclass and the message say why and what to do.
        """
        token, idle_until = self._cache.slot
        return token if self._clock() < idle_until else self._cache.get()

    async def atoken(self) -> Token:
        """Do what `token` does, without ever blocking the event loop."""
        token, idle_until = self._cache.slot
        return token if self._clock() < idle_until else await self._cache.aget()

    def reject(self, token: str | Token) -> bool:
        """Say that the API answered 401 to this token; True if there is another one now, worth one more try.

        Returns once the newest version was read: with one read however many threads come, with none if the token was
        already replaced. False means a real 401: the stored token is the same, or couldn't be read. The same token
        isn't read again at once, so an API that refuses everything costs few calls.
        """
        return self._cache.reject(_refuses(token))

    async def areject(self, token: str | Token) -> bool:
        """Do what `reject` does, without ever blocking the event loop."""
        return await self._cache.areject(_refuses(token))

    def _read(self, previous: Entry[Token] | None, rejecting: Callable[[], bool]) -> Entry[Token]:
        token = self._read_token()
        cached = None if previous is None else previous.value
        rejected = rejecting() and cached is not None and token.value == cached.value
        told = ""
        if self._worker is not None and (rejected or self._is_expired(token)):
            told = "; " + self._worker.ask(force=not self._is_expired(token))
            token = self._read_token()
        if self._is_expired(token):
            if cached is None or self._is_expired(cached):
                raise TokenExpired(self._complaint(token) + told)
            token = cached  # an old version was made current; the token that we have is better
        if cached is not None:
            self._pattern.learn(cached, token)
        return self._entry(token)

    def _read_token(self) -> Token:
        version = self._store.read(self._secret_id)
        if isinstance(version.content, bytes):
            raise InvalidSecretDocument(f"{version.origin} is binary: a token document is JSON text, in SecretString")
        stored = read_access_token(SecretValue(version.content), version.origin)
        if stored is None:
            raise SecretEmpty(
                f"{version.origin} has no access token yet: the worker's next run stores one; `token-refresh status "
                f"{shlex.quote(self._secret_id)} --region {self._store.region_of(self._secret_id)}` shows why not"
            )
        return Token(
            value=stored.value.reveal(),
            expires_at=stored.expires_at,
            version_id=version.version_id,
            created_at=version.created_at,
        )

    def _is_expired(self, token: Token) -> bool:
        return self._clock() >= token.expires_at.timestamp()

    def _complaint(self, token: Token) -> str:
        region = self._store.region_of(self._secret_id)
        return (
            f"{self._secret_id} in {region}: its access token expired at {token.expires_at:%Y-%m-%dT%H:%M:%SZ} "
            f"(version {token.version_id}) and there is no newer one: look at the worker's alarm and its last log line"
        )

    def _entry(self, token: Token) -> Entry[Token]:
        now, chance = self._clock(), self._runtime.chance()
        read_at = self._pattern.next_read_at(token, now=now, chance=chance)
        return Entry(
            value=token,
            refresh_at=min(read_at, now + SOFT_SHARE * self._max_age_seconds),
            wait_at=now + self._max_age_seconds,
            expires_at=token.expires_at.timestamp(),
        )


def in_service() -> bool:
    """Tell whether threads go on running between calls, as they do everywhere but in Lambda."""
    return "AWS_LAMBDA_FUNCTION_NAME" not in os.environ


def positive_seconds(name: str, duration: timedelta) -> float:
    """Give a duration in seconds; say by its name which one is none."""
    if duration <= timedelta():
        raise ValueError(f"{name} must be a positive timedelta")
    return duration.total_seconds()


def _refuses(token: str | Token) -> Callable[[Token], bool]:
    value = token.value if isinstance(token, Token) else token
    return lambda cached: cached.value == value
