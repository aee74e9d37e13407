"""The readers that are measured side by side, each used as its own documentation shows."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any, Protocol, Self

import aws_secretsmanager_caching.cache.items as caching_items
from aws_lambda_powertools.utilities.parameters import SecretsProvider, base, get_secret
from aws_lambda_powertools.utilities.parameters.constants import DEFAULT_PROVIDERS
from aws_secretsmanager_caching import SecretCache, SecretCacheConfig

from token_refresh.reader import Runtime, TokenReader

SECRET_ID = "tokens"  # noqa: S105 - a name
TTL_SECONDS = 300


class Subject(Protocol):
    """One way to read a token."""

    name: str

    def __init__(self, client: Any, runtime: Runtime) -> None:
        """Start with an empty cache."""
        ...

    def read(self) -> object:
        """Read in the way that costs least: from a warm cache, parsed or not."""
        ...

    def token(self) -> str:
        """Read the access token."""
        ...

    def after_401(self, token: str) -> None:
        """Do what this reader offers for a token that was refused."""
        ...


class OurReader:
    """`token_refresh.reader`."""

    name = "TokenReader"

    def __init__(self, client: Any, runtime: Runtime) -> None:
        reader = TokenReader(SECRET_ID, client=client, runtime=runtime)
        self.read = self.token = reader.get
        self._reader = reader

    def after_401(self, token: str) -> None:
        """Reject the token."""
        self._reader.reject(token)


class AwsCaching:
    """aws-secretsmanager-caching, its interval set to the others' TTL (its default is an hour)."""

    name = "aws caching"

    def __init__(self, client: Any, runtime: Runtime) -> None:
        del runtime  # it looks at the time by itself
        config = SecretCacheConfig(secret_refresh_interval=TTL_SECONDS)
        self._cache = SecretCache(config=config, client=client)

    def read(self) -> object:
        """Get the text."""
        return self._cache.get_secret_string(SECRET_ID)

    def token(self) -> str:
        """Get the text and parse it."""
        return _token_in(self._cache.get_secret_string(SECRET_ID))

    def after_401(self, token: str) -> None:
        """Force a refresh."""
        del token
        self._cache.refresh_secret_now(SECRET_ID)


class Powertools:
    """aws-lambda-powertools parameters, parsing included."""

    name = "powertools"

    def __init__(self, client: Any, runtime: Runtime) -> None:
        del runtime  # it looks at the time by itself
        # What `get_secret` uses, as it would make it for itself.
        DEFAULT_PROVIDERS["secrets"] = SecretsProvider(boto3_client=client)

    def read(self) -> object:
        """Get the parsed document."""
        return get_secret(SECRET_ID, max_age=TTL_SECONDS, transform="json")

    def token(self) -> str:
        """Get the token in it."""
        return str(get_secret(SECRET_ID, max_age=TTL_SECONDS, transform="json")["accessToken"])

    def after_401(self, token: str) -> None:
        """Force a fetch."""
        del token
        get_secret(SECRET_ID, max_age=TTL_SECONDS, transform="json", force_fetch=True)


class TtlDict:
    """What many services write for themselves: a dictionary with the time at which each value is too old."""

    name = "TTL dict"

    def __init__(self, client: Any, runtime: Runtime) -> None:
        self._client = client
        self._clock = runtime.clock
        self._cached: dict[str, tuple[str, float]] = {}

    def read(self) -> str:
        """Look, and fetch what isn't there or too old."""
        cached = self._cached.get(SECRET_ID)
        if cached is not None and self._clock() < cached[1]:
            return cached[0]
        token = _fetch(self._client)
        self._cached[SECRET_ID] = (token, self._clock() + TTL_SECONDS)
        return token

    token = read

    def after_401(self, token: str) -> None:
        """Drop the value and read again."""
        del token
        self._cached.pop(SECRET_ID, None)
        self.read()


class GlobalVariable:
    """What many Lambda functions do: read once, when they start."""

    name = "global variable"

    def __init__(self, client: Any, runtime: Runtime) -> None:
        del runtime  # it doesn't look at the time
        self._client = client
        self._token: str | None = None

    def read(self) -> str:
        """Fetch the first time."""
        if self._token is None:
            self._token = _fetch(self._client)
        return self._token

    token = read

    def after_401(self, token: str) -> None:
        """Read again."""
        del token
        self._token = _fetch(self._client)


SUBJECTS: tuple[type[Subject], ...] = (OurReader, AwsCaching, Powertools, TtlDict, GlobalVariable)


class Bare:
    """The least that looks at a clock: a slot and one comparison."""

    def __init__(self) -> None:
        self._slot = ("value", time.time() + 86_400)

    def get(self) -> str:
        """Give the value as long as it's good."""
        value, good_until = self._slot
        if time.time() < good_until:
            return value
        raise LookupError


@contextmanager
def simulated_time(clock: Callable[[], float]) -> Iterator[None]:
    """Have the libraries that look at `datetime` themselves see the simulated time."""

    class SimulatedDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(clock(), tz)

    modules: tuple[Any, ...] = (caching_items, base)
    for module in modules:
        module.datetime = SimulatedDatetime
    try:
        yield
    finally:
        for module in modules:
            module.datetime = datetime


def _fetch(client: Any) -> str:
    return _token_in(client.get_secret_value(SecretId=SECRET_ID)["SecretString"])


def _token_in(text: str) -> str:
    return str(json.loads(text)["accessToken"])
