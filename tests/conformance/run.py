"""Check a Secrets Manager against every rule that the refresh protocol relies on: `scripts/prove conformance`.

Without options the strict server of the tests and moto are checked, on this machine. With `--live` the real service is
checked, with the AWS credentials of your shell: each test creates a secret named token-refresh-conformance-... and
deletes it at its end, also when it is interrupted. `--sweep` deletes those that a killed run left.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from conformance.backends import LIVE_REGION, PREFIX

ACTIONS = (
    "BatchGetSecretValue",
    "CreateSecret",
    "DeleteSecret",
    "DescribeSecret",
    "GetSecretValue",
    "ListSecretVersionIds",
    "ListSecrets",
    "PutSecretValue",
    "TagResource",
    "UpdateSecretVersionStage",
)
"""What the suite calls, and so must be allowed; `ListSecrets` and `BatchGetSecretValue` need `*` as their resource."""


def main() -> int:
    """Run the suite; pytest's exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/prove conformance",
        description=__doc__,
        epilog="other options go to pytest",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--live", action="store_true", help="check the real service")
    parser.add_argument("--region", help="its region; otherwise your shell's")
    parser.add_argument("--sweep", action="store_true", help="with --live: delete what killed runs left, and end")
    options, for_pytest = parser.parse_known_args()
    if (options.region or options.sweep) and not options.live:
        parser.error("--region and --sweep need --live")
    if options.live:
        os.environ[LIVE_REGION] = region = _usable_region(options.region)
        print(f"Secrets Manager in {region}; secrets are named {PREFIX}...", file=sys.stderr)
        print("Needs the permissions " + ", ".join(f"secretsmanager:{name}" for name in ACTIONS), file=sys.stderr)
        if options.sweep:
            return sweep(boto3.client("secretsmanager", region_name=region))
        signal.signal(signal.SIGTERM, _clean_up)
    return pytest.main([str(Path(__file__).parent), *for_pytest])


def _clean_up(number: int, _frame: object) -> None:
    """Delete what there is, as after Ctrl-C: `scripts/prove` ends what it started by SIGTERM, and sends it twice."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def sweep(client: Any) -> int:
    """Delete all secrets of the suite, and print their names."""
    pages = client.get_paginator("list_secrets").paginate(
        IncludePlannedDeletion=True, Filters=[{"Key": "name", "Values": [PREFIX]}]
    )
    for secret in [secret["Name"] for page in pages for secret in page["SecretList"]]:
        client.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        print(f"deleted {secret}")
    return 0


def _usable_region(region: str | None) -> str:
    """Return the region to use, or end with what is missing."""
    session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))
    if not session.region_name:
        return sys.exit("scripts/prove conformance: no region: name one with --region, or set AWS_REGION")
    if session.get_credentials() is None:
        return sys.exit(
            "scripts/prove conformance: --live needs AWS credentials and found none: set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    try:
        session.client("secretsmanager").describe_secret(SecretId="token-refresh-conformance-missing")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            sys.exit(f"scripts/prove conformance: {error}")
    except BotoCoreError as error:
        sys.exit(f"scripts/prove conformance: {error}")
    return session.region_name


if __name__ == "__main__":
    sys.exit(main())
