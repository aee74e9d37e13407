"""Print the region of a real Secrets Manager that can be used, or say why there is none."""

import os
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def main(region: str | None = None) -> str:
    """Return the region to use: the one given, or the one that the shell is set up for."""
    session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))
    if not session.region_name:
        return sys.exit("scripts/conformance: no region: name one with --region, or set AWS_REGION")
    if session.get_credentials() is None:
        return sys.exit(
            "scripts/conformance: --live needs AWS credentials, and found none: set AWS_PROFILE, or"
            " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    try:
        session.client("secretsmanager").describe_secret(SecretId="token-refresh-conformance-missing")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            sys.exit(f"scripts/conformance: {error}")
    except BotoCoreError as error:
        sys.exit(f"scripts/conformance: {error}")
    return session.region_name


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
