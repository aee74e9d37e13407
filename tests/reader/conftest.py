from collections.abc import Callable, Iterator

import pytest

from testbed import reader_surroundings as surroundings
from testbed.parameter_store import ParameterStoreServer
from testbed.reader_surroundings import Api, Background, Store, WallClock
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import SecretStoreUnavailable
from token_refresh.reader import TokenReader
from token_refresh.reader.cache import Cache
from token_refresh.reader.fetch import CacheEntry


class Source:
    """Where a cache reads: gives `value` or raises `error`, and counts."""

    def __init__(self, clock: WallClock) -> None:
        self.clock = clock
        self.value = "first"
        self.error: BaseException | None = None
        self.before: Callable[[], None] = lambda: None
        self.reads = 0
        self.rejecting: list[bool] = []

    def read(self, _previous: CacheEntry[str] | None, rejecting: Callable[[], bool]) -> CacheEntry[str]:
        self.reads += 1
        value, now = self.value, self.clock()
        self.before()
        self.rejecting.append(rejecting())
        if self.error is not None:
            raise self.error
        return CacheEntry(value=value, read_at=now, refresh_at=now + 100, wait_at=now + 150, expires_at=now + 200)


def down() -> SecretStoreUnavailable:
    return SecretStoreUnavailable("the store is down")


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def background() -> Background:
    return Background()


@pytest.fixture
def store(clock: WallClock) -> Iterator[Store]:
    with SecretsManagerServer(clock=clock) as server:
        yield Store(server, clock)


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as running:
        yield running


@pytest.fixture
def tokens(store: Store, clock: WallClock) -> TokenReader:
    """Read `tokens` from the store, soft refreshes inline."""
    return TokenReader("tokens", client=store.client, background=False, runtime=surroundings.runtime(clock))


@pytest.fixture
def replaced(store: Store, api: Api, tokens: TokenReader) -> None:
    """The reader has a token that the API rejects; its successor is stored."""
    store.put("one")
    tokens.get()
    store.put("two")
    api.accepted = {"two"}


@pytest.fixture
def source(clock: WallClock) -> Source:
    return Source(clock)


@pytest.fixture
def inline(source: Source, clock: WallClock) -> Cache[str]:
    """Read `source` in the caller, soft refreshes too."""
    return Cache(source.read, background=False, runtime=surroundings.runtime(clock))


@pytest.fixture
def cache(source: Source, clock: WallClock, background: Background) -> Cache[str]:
    """Read `source`, soft refreshes in the background."""
    return Cache(source.read, background=True, runtime=surroundings.runtime(clock, background))


@pytest.fixture(autouse=True)
def _aws_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own AWS settings out."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in (
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def parameters(clock: WallClock) -> Iterator[ParameterStoreServer]:
    with ParameterStoreServer(clock=clock) as server:
        yield server


@pytest.fixture
def _aws(store: Store, parameters: ParameterStoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead the reader's own clients to the servers of this test."""
    for name, value in {**store.server.environment, **parameters.environment}.items():
        monkeypatch.setenv(name, value)
