"""The readers that are measured side by side, each used as its own documentation shows."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Self

import aws_secretsmanager_caching.cache.items as caching_items
from aws_lambda_powertools.utilities.parameters import SecretsProvider, base, get_secret
from aws_lambda_powertools.utilities.parameters.constants import DEFAULT_PROVIDERS
from aws_secretsmanager_caching import SecretCache, SecretCacheConfig

from token_refresh.reader import Runtime, TokenReader

SECRET_ID = "tokens"  # noqa: S105 - a name
TTL_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Reader:
    """One way to read a token: how, and what it offers after a 401 to that token."""

    token: Callable[[], str]
    after_401: Callable[[str], object]


Start = Callable[[Any, Runtime], Reader]
"""Makes one with an empty cache, of a client."""


def our_reader(client: Any, runtime: Runtime) -> Reader:
    """`token_refresh.reader`."""
    reader = TokenReader(SECRET_ID, client=client, runtime=runtime)
    return Reader(reader.get, reader.reject)


def aws_caching(client: Any, _runtime: Runtime) -> Reader:
    """aws-secretsmanager-caching, its interval set to the others' TTL (its default is an hour)."""
    cache = SecretCache(config=SecretCacheConfig(secret_refresh_interval=TTL_SECONDS), client=client)
    return Reader(lambda: _token_in(cache.get_secret_string(SECRET_ID)), lambda _: cache.refresh_secret_now(SECRET_ID))


def powertools(client: Any, _runtime: Runtime) -> Reader:
    """aws-lambda-powertools parameters, parsing included."""
    # What `get_secret` uses, as it would make it for itself.
    DEFAULT_PROVIDERS["secrets"] = SecretsProvider(boto3_client=client)

    get: Any = get_secret  # a dict, with `transform`
    return Reader(
        lambda: get(SECRET_ID, max_age=TTL_SECONDS, transform="json")["accessToken"],
        lambda _: get(SECRET_ID, max_age=TTL_SECONDS, transform="json", force_fetch=True),
    )


def ttl_dict(client: Any, runtime: Runtime) -> Reader:
    """What many services write for themselves: a dictionary with the time at which each value is too old."""
    cache, clock = dict[str, tuple[str, float]](), runtime.clock

    def token() -> str:
        cached = cache.get(SECRET_ID)
        if cached is not None and clock() < cached[1]:
            return cached[0]
        token = _fetch(client)
        cache[SECRET_ID] = (token, clock() + TTL_SECONDS)
        return token

    return Reader(token, lambda _: (cache.pop(SECRET_ID, None), token()))


SUBJECTS = {"TokenReader": our_reader, "aws caching": aws_caching, "powertools": powertools, "TTL dict": ttl_dict}
FIRST_READS = {
    "TokenReader": "from token_refresh.reader import TokenReader; TokenReader('tokens').get()",
    "aws caching": """import botocore.session; from aws_secretsmanager_caching import SecretCache
SecretCache(client=botocore.session.get_session().create_client('secretsmanager')).get_secret_string('tokens')""",
    "powertools": "from aws_lambda_powertools.utilities.parameters import get_secret; get_secret('tokens')",
    "TTL dict": "import boto3; boto3.client('secretsmanager').get_secret_value(SecretId='tokens')",
}
"""What a service imports, and its first read."""


class Bare:
    """The least that looks at a clock: a slot and one comparison."""

    def __init__(self) -> None:
        self._slot = ("value", time.time() + 86_400)

    def get(self) -> str:
        """Return the value as long as it's good."""
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
