"""Cold and warm runs of the worker, beside the handler that people write and the least that any handler does.

Each round starts a new process for each contender in turn, as Lambda does for a cold start: the deployed zip, unpacked,
on Python 3.13 with the runtime client and boto3 alone. What counts is the process's own time on a core, which other
programs of the machine hardly change: on Lambda, add the network and divide by the share of a core that it has.
Exits with 1 where a cold start takes longer than it may.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from testbed.aws_lambda.function import HANDLER, SCHEDULED_EVENT, Function
from testbed.aws_lambda.lambda_runtime import LambdaRuntime
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = "straightforward handler"
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """What is run, on which secret, and what has to come out."""

    name: str
    handler: str
    lives_seconds: int
    outcome: str
    most: float | None = None
    """What its cold start may take, as a multiple of the straightforward handler's."""


CONTENDERS = (
    Contender(
        name="floor: client, one read", handler="handlers.floor.handler", lives_seconds=DAY_SECONDS, outcome="read"
    ),
    Contender(name=REFERENCE, handler="handlers.straightforward.handler", lives_seconds=60, outcome="refreshed"),
    Contender(name="worker, nothing due", handler=HANDLER, lives_seconds=DAY_SECONDS, outcome="fresh", most=1.05),
    Contender(name="worker, refresh due", handler=HANDLER, lives_seconds=60, outcome="refreshed", most=1.20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One process: its first run, and one more."""

    cold_ms: float
    warm_ms: float
    peak_memory_mb: float
    store_calls: int
    token_requests: int


def measure(contender: Contender, folder: Path, runtime: LambdaRuntime) -> Sample:
    """Start a process, run it twice, and count what its first run asked."""
    with SecretsManagerServer() as store, TokenEndpoint(reuse="grace") as endpoint:
        store.client().create_secret(
            Name="tokens",
            ClientRequestToken=str(uuid.uuid4()),
            SecretString=json.dumps(_document(endpoint, contender.lives_seconds)),
        )
        store.calls.clear()
        environment = store.environment | {
            "TOKEN_SECRET_ID": "tokens",
            "PROVIDER": "upwork",
            "TOKEN_ENDPOINT": endpoint.url,
        }
        with Function(
            environment | runtime.environment, handler=contender.handler, task_root=folder, python=runtime.python
        ) as function:
            first = function.invoke(SCHEDULED_EVENT)
            cold_ms = function.cpu_ms
            calls, requests = len(store.calls), len(endpoint.requests)
            function.invoke(SCHEDULED_EVENT)
            warm_ms = function.cpu_ms - cold_ms
            memory_mb = function.peak_memory_mb
    if first.error_type or first.payload["outcome"] != contender.outcome:
        raise SystemExit(f"scripts/bench worker: {contender.name} ended with {first.error_type or first.payload}")
    return Sample(
        cold_ms=cold_ms,
        warm_ms=warm_ms,
        peak_memory_mb=memory_mb,
        store_calls=calls,
        token_requests=requests,
    )


def _document(endpoint: TokenEndpoint, lives_seconds: int) -> dict[str, Any]:
    tokens = endpoint.grant.authorize()
    return {
        "accessToken": tokens["access_token"],
        "refreshToken": tokens["refresh_token"],
        "expiresAt": round((time.time() + lives_seconds) * 1000),
        "clientId": endpoint.client_id,
        "clientSecret": endpoint.client_secret,
    }


def deployed(folder: Path, runtime: LambdaRuntime) -> Path:
    """Unpack the zip, with the other handlers beside it, compiled like the rest."""
    script = ROOT / "scripts" / "package"
    built = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    with zipfile.ZipFile(ROOT / built.stdout.strip()) as archive:
        archive.extractall(folder)
    handlers = folder / "handlers"
    shutil.copytree(Path(__file__).parent / "handlers", handlers)
    compileall = (*runtime.python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(handlers))
    subprocess.run(compileall, check=True)  # noqa: S603 - our own
    return folder


def run(rounds: int, *, unmeasured: int = 1) -> dict[str, Sample]:
    """Measure the contenders in turn, and return the median of each figure.

    Args:
        rounds: How often each is measured.
        unmeasured: How many rounds come before: the first one fills the disk's cache.
    """
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        runtime = LambdaRuntime.install(Path(folder) / "runtime")
        code = deployed(Path(folder) / "code", runtime)
        for number in range(unmeasured + rounds):
            for contender in CONTENDERS:
                sample = measure(contender, code, runtime)
                if number >= unmeasured:
                    samples[contender.name].append(sample)
    return {name: _median(measured) for name, measured in samples.items()}


def _median(samples: list[Sample]) -> Sample:
    figures = {name: statistics.median(asdict(sample)[name] for sample in samples) for name in asdict(samples[0])}
    return Sample(**figures)


def table(medians: dict[str, Sample]) -> str:
    """Return the result as a table of Markdown; `x` is the cold start against the straightforward handler's."""
    reference = medians[REFERENCE].cold_ms
    lines = [
        "| | cold start, ms | x | warm run, ms | peak memory, MB | calls to Secrets Manager | token requests |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {sample.cold_ms:.0f} | {sample.cold_ms / reference:.2f} | {sample.warm_ms:.1f} "
        f"| {sample.peak_memory_mb:.0f} | {sample.store_calls:.0f} | {sample.token_requests:.0f} |"
        for name, sample in medians.items()
    ]
    return "\n".join(lines)


def too_slow(medians: dict[str, Sample]) -> list[str]:
    """Say which cold start takes longer than it may."""
    reference = medians[REFERENCE].cold_ms
    return [
        f"{contender.name} takes {medians[contender.name].cold_ms / reference:.2f} of the {REFERENCE}, and may take "
        f"{contender.most:.2f}"
        for contender in CONTENDERS
        if contender.most is not None and medians[contender.name].cold_ms > contender.most * reference
    ]


def main() -> int:
    """Run, print the table, and judge."""
    parser = argparse.ArgumentParser(prog="scripts/bench worker", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21, help="processes started for each contender (default: 21)")
    arguments = parser.parse_args()
    medians = run(arguments.rounds)
    print(table(medians))
    missed = too_slow(medians)
    for sentence in missed:
        print(f"scripts/bench worker: {sentence}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
