"""Race 500 runs in 20 processes for one refresh token, and count the redemptions: `scripts/prove races`.

With `--store localstack` the secret is in LocalStack's Secrets Manager, of which this project knows nothing. It is
installed into build/localstack the first time (325 MB), listens on 127.0.0.1 and ends with the race.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from races.contenders import contend
from testbed.ports import free_port
from testbed.testbed import SINGLE_USE, TOKENS, Testbed

ROOT: Final = Path(__file__).parents[2]
LOCALSTACK: Final = "localstack-core[runtime]==4.14.0"
NEWEST: Final = "2026-03-10"
"""Newer packages than this break it."""
START_SECONDS: Final = 120
ONE_TRY: Final = Config(retries={"total_max_attempts": 1})


def main() -> int:
    """Race; 1 where the token was not redeemed exactly once."""
    parser = argparse.ArgumentParser(
        prog="scripts/prove races", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="how many races for each claim store (default: 3)")
    parser.add_argument("--store", choices=("local", "localstack"), default="local", help="default: local")
    options = parser.parse_args()
    if options.store == "localstack":
        with _localstack() as url:
            wrong = [_race(f"localstack {number}", localstack=url) for number in range(1, options.rounds + 1)]
    else:
        wrong = [
            _race(f"{'table' if table else 'versions'} {number}", table=table)
            for table in (False, True)
            for number in range(1, options.rounds + 1)
        ]
    return int(any(wrong))


def _race(name: str, *, table: bool = False, localstack: str | None = None) -> bool:
    """Race once; True where it went wrong."""
    with Testbed(SINGLE_USE, table=table, full=localstack is None) as testbed:
        environment = dict(testbed.environment)
        if localstack is None:
            testbed.read_stale()
        else:
            _copy_secrets(testbed, localstack)
            environment |= {"AWS_ENDPOINT_URL_SECRETS_MANAGER": localstack}
        endings = contend(environment, processes=20, threads=25)
        sent, redeemed = testbed.requests_sent, testbed.endpoint.grant.redemptions
        wrong = (1, 1) != (sent, redeemed)
    said = ", ".join(f"{count} {ending}" for ending, count in endings.most_common())
    print(f"{name}: {sent} sent, {redeemed} redeemed{': WRONG' if wrong else ''}; {said}", flush=True)
    return wrong


def _copy_secrets(testbed: Testbed, url: str) -> None:
    """Store the first token set and the client credentials at another Secrets Manager."""
    client = _client(url, testbed.store.region)
    for name in (TOKENS, testbed.environment["CLIENT_SECRET_ID"]):
        value = testbed.store.call("GetSecretValue", {"SecretId": name})["SecretString"]
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        client.create_secret(Name=name, SecretString=value)


def _client(url: str, region: str) -> Any:
    make: Any = boto3.client
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return make("secretsmanager", endpoint_url=url, region_name=region, config=ONE_TRY, **keys)


@contextlib.contextmanager
def _localstack() -> Iterator[str]:
    """Run LocalStack while the block lasts; give its URL."""
    folder = ROOT / "build" / "localstack"
    python = folder / "bin" / "python"
    uv = str(Path(sys.executable).with_name("uv"))
    if not (folder / "installed").exists():
        subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)  # noqa: S603 - our own tools
        install = [uv, "pip", "install", "--quiet", "--python", str(python), "--exclude-newer", NEWEST, LOCALSTACK]
        subprocess.run(install, check=True)  # noqa: S603 - likewise
        (folder / "installed").touch()
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "GATEWAY_LISTEN": address,
        "SERVICES": "secretsmanager",
        "EAGER_SERVICE_LOADING": "1",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
    }
    process = subprocess.Popen(  # noqa: S603 - likewise
        [str(python), "-m", "localstack.runtime.main"],
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{address}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until Secrets Manager responds."""
    client = _client(url, "eu-central-1")
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(Exception):
            client.list_secrets()
            return
        time.sleep(1)
    sys.exit("scripts/prove races: LocalStack did not start")


if __name__ == "__main__":
    sys.exit(main())
