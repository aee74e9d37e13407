"""The handler that people write: clients at import, then get, post, put. No claim, no check, no way back.

`scripts/demo --handler benchmarks.handlers.straightforward.handler` shows where that ends.
"""

import json
import os
import time

import boto3
import httpx

secrets = boto3.client("secretsmanager", region_name=os.environ["AWS_REGION"])
http = httpx.Client(timeout=20)


def handler(_event: object, _context: object) -> dict[str, str]:
    """Refresh the tokens each time."""
    tokens = json.loads(secrets.get_secret_value(SecretId=os.environ["TOKEN_SECRET_ID"])["SecretString"])
    client = tokens
    if "CLIENT_SECRET_ID" in os.environ:
        client = json.loads(secrets.get_secret_value(SecretId=os.environ["CLIENT_SECRET_ID"])["SecretString"])
    response = http.post(
        os.environ["TOKEN_ENDPOINT"],
        data={
            "grant_type": "refresh_token",
            "refresh_token": tokens["refreshToken"],
            "client_id": client["clientId"],
            "client_secret": client["clientSecret"],
        },
    )
    response.raise_for_status()
    received = response.json()
    tokens["accessToken"] = received["access_token"]
    tokens["refreshToken"] = received["refresh_token"]
    tokens["expiresAt"] = int((time.time() + received["expires_in"]) * 1000)
    secrets.put_secret_value(SecretId=os.environ["TOKEN_SECRET_ID"], SecretString=json.dumps(tokens))
    return {"outcome": "refreshed"}
