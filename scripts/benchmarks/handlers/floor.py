"""The least that any handler of a secret does: boto3's client and one read."""

import os

import boto3

secrets = boto3.client("secretsmanager", region_name=os.environ["AWS_REGION"])


def handler(_event: object, _context: object) -> dict[str, str]:
    """Read the secret."""
    secrets.get_secret_value(SecretId=os.environ["TOKEN_SECRET_ID"])
    return {"outcome": "read"}
