"""The handler that a careful engineer writes, to be deployed with a reserved concurrency of 1: one run at a time.

It checks whether the token is due, sends again only what never left, takes no error page for a response, keeps the
refresh token where none comes back (RFC 6749 section 6), and stores before it returns. `scripts/demo` shows what it
survives.
"""

import json
import os
from email.utils import parsedate_to_datetime

import boto3
import httpx
import tenacity
from botocore.config import Config

DUE_MS = 8 * 3_600_000
aws = Config(region_name=os.environ["AWS_REGION"], retries={"mode": "standard"})
secrets = boto3.client("secretsmanager", config=aws)
http = httpx.Client(timeout=20)
only_what_never_left = tenacity.retry(
    retry=tenacity.retry_if_exception_type(httpx.ConnectError),
    stop=tenacity.stop_after_attempt(3),
    wait=tenacity.wait_exponential_jitter(max=5),
    reraise=True,
)


def handler(event: dict[str, object], _context: object) -> dict[str, str]:
    """Refresh the tokens if they are due, or at once with `force`."""
    read = secrets.get_secret_value(SecretId=os.environ["TOKEN_SECRET_ID"])
    # By AWS's clock, so that a test can let hours pass.
    now_ms = int(parsedate_to_datetime(read["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp() * 1000)
    tokens = json.loads(read["SecretString"])
    if not event.get("force") and tokens["expiresAt"] - now_ms > DUE_MS:
        return {"outcome": "fresh"}
    received = redeem(tokens["refreshToken"])
    tokens["accessToken"] = received["access_token"]
    tokens["refreshToken"] = received.get("refresh_token", tokens["refreshToken"])
    tokens["expiresAt"] = now_ms + int(received["expires_in"]) * 1000
    secrets.put_secret_value(SecretId=read["ARN"], SecretString=json.dumps(tokens))
    return {"outcome": "refreshed"}


@only_what_never_left
def redeem(refresh_token: str) -> dict[str, str]:
    """Exchange the refresh token, and return the response."""
    client = json.loads(secrets.get_secret_value(SecretId=os.environ["CLIENT_SECRET_ID"])["SecretString"])
    form = {"client_id": client["clientId"], "client_secret": client["clientSecret"]}
    form |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
    response = http.post(os.environ["TOKEN_ENDPOINT"], data=form)
    response.raise_for_status()
    received: dict[str, str] = response.json()
    return received
