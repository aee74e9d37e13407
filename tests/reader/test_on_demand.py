"""Invoking the worker: the real Lambda client, and a function on loopback."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.reader_surroundings import Store, WallClock, at_once, runtime
from token_refresh.reader import TokenExpired, TokenReader


class Worker(LoopbackServer):
    """Lambda's `Invoke` for one function: calls `run` and returns its result."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.events: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.run: Callable[[], object] = lambda: {"outcome": "refreshed"}

    def stores(self, store: Store, *tokens: str, lives_seconds: float = 3600) -> None:
        """Let each run store the next token, or else one of its own number."""

        def run() -> object:
            number = len(self.events)
            store.put(tokens[number - 1] if tokens else f"token-{number}", lives_seconds=lives_seconds)
            return {"outcome": "refreshed"}

        self.run = run

    def client(self) -> Any:
        keys: Any = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client("lambda", region_name="eu-central-1", endpoint_url=f"http://{self.address}", **keys)


class _Handler(LoopbackHandler):
    server: Worker

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.server.events.append(json.loads(self.read_body()))
        self.server.paths.append(self.path)
        self.respond(200, json.dumps(self.server.run()).encode())


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as made:
        yield made


@pytest.fixture
def asking(store: Store, clock: WallClock, worker: Worker) -> TokenReader:
    return TokenReader(
        "tokens",
        client=store.client,
        background=False,
        refresh_function="token-refresh",
        lambda_client=worker.client(),
        runtime=runtime(clock),
    )


def test_expired_token_is_refreshed(store: Store, asking: TokenReader, worker: Worker, clock: WallClock) -> None:
    """Fifty threads that find the stored token expired have the worker run once, unforced: it is due anyway."""
    store.put("one")
    asking.get()
    clock.advance(3600)
    worker.stores(store, "two")
    assert ["two"] * 50 == at_once(50, asking.get)
    assert [{}] == worker.events
    assert ["/2015-03-31/functions/token-refresh/invocations"] == worker.paths
    assert 3 == store.reads


def test_rejected_token_is_refreshed(store: Store, asking: TokenReader, worker: Worker, clock: WallClock) -> None:
    """Fifty threads whose token was rejected, and is still the stored one, have the worker run once, forced."""
    store.put("one")
    asking.get()
    clock.advance(300)
    worker.stores(store, "two")
    assert [True] * 50 == at_once(50, lambda: asking.reject("one"))
    assert ("two", [{"force": True}]) == (asking.get(), worker.events)


def test_forced_refresh_that_fails_is_logged(
    store: Store, asking: TokenReader, worker: Worker, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A forced refresh leaves a warning with the version and the type of its outcome, and no value."""
    version_id = store.put("canary")
    asking.get()
    clock.advance(300)
    worker.run = lambda: {"errorType": "ReauthorizationRequired", "errorMessage": "canary"}
    assert not asking.reject("canary")
    expected = "was rejected before its expiry: token-refresh was asked to refresh and returned ReauthorizationRequired"
    assert [f"version {version_id} {expected}"] == caplog.messages


def test_young_token_is_not_refreshed_for_a_rejection(
    store: Store, asking: TokenReader, worker: Worker, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A token that is rejected within five minutes of its storing is not refreshed, and not for an hour after that."""
    version_id = store.put("canary")
    asking.get()
    for seconds in (200, 99, 31):
        clock.advance(seconds)
        assert not asking.reject("canary")
    assert [] == worker.events
    said = f"the API rejected version {version_id} less than 300 s after it was stored: no forced refresh for 3600 s"
    assert [said] == [message for message in caplog.messages if "rejected" in message]
    assert "canary" not in caplog.text


@pytest.mark.no_cover  # lives through a day, which coverage makes twice as slow
@pytest.mark.parametrize("every_seconds", [180, 7200])
def test_an_api_that_rejects_everything_causes_a_handful_of_forced_refreshes_a_day(
    store: Store, asking: TokenReader, worker: Worker, clock: WallClock, every_seconds: int
) -> None:
    """Whatever an API rejects, and however often, a consumer forces at most five refreshes a day."""
    worker.stores(store, lives_seconds=10 * 86_400)
    store.put("first", lives_seconds=10 * 86_400)
    clock.advance(400)
    for _ in range(86_400 // every_seconds):
        asking.reject(asking.token())
        clock.advance(every_seconds)
    assert 1 <= len(worker.events) <= 5
    assert [{"force": True}] * len(worker.events) == worker.events


def test_another_rejection_after_a_day(store: Store, asking: TokenReader, worker: Worker, clock: WallClock) -> None:
    """A provider that revokes a token now and then is followed at once: the pauses are forgotten after a day."""
    worker.stores(store, lives_seconds=10 * 86_400)
    store.put("first", lives_seconds=10 * 86_400)
    for count in range(1, 6):
        clock.advance(86_400)
        assert asking.reject(asking.token())
        assert count == len(worker.events)


def test_who_needs_no_worker(store: Store, asking: TokenReader, worker: Worker, clock: WallClock) -> None:
    """While the token is valid, a late worker is not invoked; nor is it if a newer token is stored already."""
    store.put("one")
    for _ in range(30):
        asking.get()
        clock.advance(100)
    store.put("two")
    clock.advance(400)
    assert asking.reject("one")
    assert [] == worker.events


@pytest.mark.parametrize(
    ("result", "returned"),
    [
        ({"errorType": "ReauthorizationRequired", "errorMessage": "canary"}, "ReauthorizationRequired"),
        *(
            (result, "something other than an outcome")
            for result in ("canary", {}, {"outcome": ["canary"]}, {"errorType": "canary canary"}, None)
        ),
    ],
)
def test_worker_that_cannot_help(  # noqa: PLR0917 - fixtures and cases
    store: Store, asking: TokenReader, worker: Worker, clock: WallClock, result: object, returned: str
) -> None:
    """The error quotes only the type of the worker's error, and the worker is invoked again after a minute."""
    store.put("one", lives_seconds=-1)
    worker.run = lambda: result
    with pytest.raises(TokenExpired, match=f"token-refresh was asked to refresh and returned {returned}") as first:
        asking.get()
    assert "canary" not in str(first.value)
    clock.advance(30)
    with pytest.raises(TokenExpired, match=r"token-refresh was asked to refresh less than 60 s ago"):
        asking.get()
    clock.advance(30)
    with pytest.raises(TokenExpired):
        asking.get()
    assert 2 == len(worker.events)


def test_worker_out_of_reach(store: Store, clock: WallClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the function can't be invoked, the error says why; the client comes from the environment."""
    for name, value in {**store.server.environment, "AWS_ENDPOINT_URL_LAMBDA": store.server.url}.items():
        monkeypatch.setenv(name, value)
    store.put("one", lives_seconds=-1)
    names = ["token-refresh", "arn:aws:lambda:eu-west-1:123456789012:function:token-refresh"]
    for name in names:
        reader = TokenReader("tokens", client=store.client, refresh_function=name, runtime=runtime(clock))
        with pytest.raises(TokenExpired, match=rf"{name} could not be asked to refresh: lambda:InvokeFunction on"):
            reader.get()
