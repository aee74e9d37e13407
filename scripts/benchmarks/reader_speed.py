"""How fast a cached read is, alone and under threads, and what an import and the first read cost."""

import json
import statistics
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable
from typing import Any

from benchmarks.reader_subjects import SECRET_ID, SUBJECTS, Bare
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import Runtime

ROUNDS = 21
THREADS = 8
THREAD_SECONDS = 0.4
FIRST_READ_ROUNDS = 5

_IMPORTS = {
    "TokenReader": (
        "from token_refresh.reader import TokenReader",
        "TokenReader('tokens').get()",
    ),
    "aws caching": (
        "import botocore.session\nfrom aws_secretsmanager_caching import SecretCache",
        "SecretCache(client=botocore.session.get_session().create_client('secretsmanager')).get_secret_string('tokens')",
    ),
    "powertools": (
        "from aws_lambda_powertools.utilities import parameters",
        "parameters.get_secret('tokens', max_age=300)",
    ),
    "TTL dict": ("import boto3", "boto3.client('secretsmanager').get_secret_value(SecretId='tokens')"),
    "global variable": ("import boto3", "boto3.client('secretsmanager').get_secret_value(SecretId='tokens')"),
}


def measure_cached_reads(figures: dict[str, dict[str, Any]]) -> float:
    """Time cached reads, alone and in eight threads; return what a bare check takes, in ns.

    Of a read alone the CPU time counts: nothing waits there, and the clock would count what else the machine does. The
    rounds of all readers take turns.
    """
    with SecretsManagerServer() as server:
        client = server.client()
        store_token(server)
        reads: dict[str, Callable[[], object]] = {"bare": Bare().get}
        for subject in SUBJECTS:
            reads[subject.name] = subject(client, Runtime()).read
        for read in reads.values():
            read()
        numbers = {name: _repetitions(read) for name, read in reads.items()}
        rounds: dict[str, list[float]] = {name: [] for name in reads}
        for _ in range(ROUNDS):
            for name, read in reads.items():
                took = timeit.timeit(read, timer=time.thread_time, number=numbers[name])
                rounds[name].append(took / numbers[name] * 1e9)
        for name, own in figures.items():
            own["cached_read_ns"] = round(statistics.median(rounds[name]), 1)
            own["reads_per_second_8_threads"] = round(statistics.median(_throughput(reads[name]) for _ in range(3)))
    return round(statistics.median(rounds["bare"]), 1)


def measure_first_reads(figures: dict[str, dict[str, Any]]) -> None:
    """Time the import and the first read, each round in a new process, against the store on loopback."""
    with SecretsManagerServer() as server:
        store_token(server)
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in _IMPORTS}
        for _ in range(FIRST_READ_ROUNDS):
            for name, (imports, read) in _IMPORTS.items():
                rounds[name].append(_first_read(imports, read, server.environment))
    for name, own in figures.items():
        own["import_ms"] = round(statistics.median(taken for taken, _ in rounds[name]), 1)
        own["first_read_ms"] = round(statistics.median(taken for _, taken in rounds[name]), 1)


def store_token(server: SecretsManagerServer, value: str = "first") -> None:
    """Store a token that lives for a day by the machine's clock."""
    expires_at = round((server.now() + 86_400) * 1000)
    text = json.dumps({"accessToken": value, "refreshToken": "refresh", "expiresAt": expires_at})
    operation, key = ("PutSecretValue", "SecretId") if server.secrets.find(SECRET_ID) else ("CreateSecret", "Name")
    server.call(operation, {key: SECRET_ID, "SecretString": text, "ClientRequestToken": value.rjust(32, "-")})


def _repetitions(read: Callable[[], object]) -> int:
    """Choose a number of reads that takes about 30 ms."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < 0.03:  # noqa: PLR2004 - as it says
        read()
        count += 1
    return count


def _throughput(read: Callable[[], object]) -> float:
    """Count the reads that eight threads do in a second."""
    counts = [0] * THREADS
    stop = threading.Event()
    barrier = threading.Barrier(THREADS + 1)

    def work(number: int) -> None:
        barrier.wait()
        while not stop.is_set():
            for _ in range(100):
                read()
            counts[number] += 100

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.perf_counter()
    stop.wait(THREAD_SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def _first_read(imports: str, read: str, environment: dict[str, str]) -> tuple[float, float]:
    code = f"""import time
started = time.perf_counter()
{imports}
imported = time.perf_counter()
{read}
print((imported - started) * 1000, (time.perf_counter() - imported) * 1000)"""
    run = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    imported_ms, read_ms = run.stdout.split()
    return float(imported_ms), float(read_ms)
