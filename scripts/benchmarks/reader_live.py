"""Fifty threads at once, a slow store, and refusals: the real client against a real HTTP store."""

import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.config import Config

from benchmarks.reader_speed import store_token
from benchmarks.reader_subjects import SECRET_ID, SUBJECTS, Subject, simulated_time
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import Runtime, TokenReader, TokenRefreshError

FIFTY = 50
EIGHT = 8
SLOW_SECONDS = 2.0


def measure(figures: dict[str, dict[str, Any]]) -> None:
    """Count calls and time waits."""
    for subject in SUBJECTS:
        own = figures[subject.name]
        own["calls_for_50_misses"] = _misses(subject)
        own["calls_for_50_401s"], own["seconds_for_50_401s"] = _unauthorized(subject)
        own["longest_wait_slow_store_seconds"] = _slow_store(subject)


def refusals() -> dict[str, bool]:
    """Say of each failed read whether its error names secret, region, action and remedy, and no value."""
    with SecretsManagerServer() as server:
        client = server.client()
        store_token(server, "canary")
        client.create_secret(Name="malformed", SecretString='{"accessToken": "canary", "expiresAt": "canary"}')
        client.create_secret(Name="denied", SecretString="canary")
        foreign = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tokens-AbCdEf"

        def names(secret_id: str, remedy: str) -> bool:
            try:
                TokenReader(secret_id, client=client).get()
            except TokenRefreshError as error:
                parts = (secret_id, server.region, "secretsmanager:GetSecretValue", remedy)
                return all(part in str(error) for part in parts) and "canary" not in str(error)
            return False

        results = {
            "missing": names("missing", "check the name, the account and the region"),
            "malformed": names("malformed", "expiresAt is not a time"),
            "wrong region": names(foreign, "set AWS_REGION=us-east-1"),
        }
        server.fault("deny", "GetSecretValue")
        return {"denied": names("denied", "allow this action on this secret"), **results}


def _misses(subject: type[Subject]) -> int:
    with SecretsManagerServer() as server:
        store_token(server)
        reader = subject(_client(server), Runtime())
        _at_once(FIFTY, reader.token)
        return _reads(server)


def _unauthorized(subject: type[Subject]) -> tuple[int, float]:
    with SecretsManagerServer() as server:
        store_token(server)
        reader = subject(_client(server), Runtime())
        refused = reader.token()
        store_token(server, "second")
        before = _reads(server)

        def retry() -> None:
            reader.after_401(refused)
            reader.token()

        started = time.perf_counter()
        _at_once(FIFTY, retry)
        return _reads(server) - before, round(time.perf_counter() - started, 2)


def _slow_store(subject: type[Subject]) -> float:
    """Give the longest of eight threads' reads, all due for a newer token, while a response takes two seconds."""
    with SecretsManagerServer() as server:
        now = time.time()
        store_token(server)
        with simulated_time(lambda: now):
            reader = subject(_client(server), Runtime(clock=lambda: now))
            reader.token()
            now += 20 * 3600  # past every TTL, and within the refresh window
            server.fault("delay", times=None, seconds=SLOW_SECONDS)
            waits: list[float] = []

            def read() -> None:
                started = time.perf_counter()
                reader.token()
                waits.append(time.perf_counter() - started)

            _at_once(EIGHT, read)
            for thread in threading.enumerate():  # a background read is let to its end before the store closes
                if thread.name == "token-reader":
                    thread.join()
        return round(max(waits), 3)


def _client(server: SecretsManagerServer) -> Any:
    return server.client(config=Config(max_pool_connections=FIFTY))


def _reads(server: SecretsManagerServer) -> int:
    return sum(logged.call.secret_id == SECRET_ID for logged in server.calls)


def _at_once(count: int, work: Callable[[], object]) -> None:
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
