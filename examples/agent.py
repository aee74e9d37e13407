"""Reads the token from the AWS Secrets Manager Agent on localhost, as any language can: one GET, with a header.

The agent keeps a secret for 300 s and looks at no expiry. So this looks at it, and has the agent read again after a
401. The agent's role needs GetSecretValue and DescribeSecret, which the deployment's ReadPolicyArn allows.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/secrets-manager-agent.html
"""

import json
import logging
import os
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

AGENT = os.environ.get("SECRETS_AGENT", "http://localhost:2773")
AGENT_TOKEN_FILE = os.environ.get("SECRETS_AGENT_TOKEN_FILE", "/var/run/awssmatoken")
SECRET_ID = os.environ.get("TOKEN_SECRET_ID", "upwork-oauth-tokens-published")

logger = logging.getLogger(__name__)

# No proxy: it would see the secret in plain text, and the header that opens the agent.
agent = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def access_token(*, read_again: bool = False) -> str:
    """Return a token that has not expired; with `read_again`, the one that is stored now."""
    published = ask_agent(read_again=read_again)
    if not has_valid_token(published) and not read_again:
        published = ask_agent(read_again=True)
    if has_valid_token(published):
        return str(published["accessToken"])
    found = "the token is expired" if "accessToken" in published else "there is no token, or its grant was revoked"
    raise RuntimeError(f"{SECRET_ID}: {found}: token-refresh status of the token secret says why")


def has_valid_token(published: Any) -> bool:
    """Whether there is a token that has not expired; after a revocation there is none."""
    return "accessToken" in published and published["expiresAt"] > time.time() * 1000


def ask_agent(*, read_again: bool) -> Any:
    """Read the published secret from the agent's memory, or have it read again."""
    query = {"secretId": SECRET_ID} | ({"refreshNow": "true"} if read_again else {})
    # Whoever can read this file may ask the agent.
    header = {"X-Aws-Parameters-Secrets-Token": Path(AGENT_TOKEN_FILE).read_text("utf-8").strip()}
    url = f"{AGENT}/secretsmanager/get?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers=header)  # noqa: S310 - an address of this machine
    with agent.open(request, timeout=10) as response:
        return json.loads(json.load(response)["SecretString"])


def call(api: Callable[[str], int]) -> int:
    """Call an API with the token, and once more with what is stored now if it responds with 401."""
    status = api(access_token())
    if status != 401:  # noqa: PLR2004 - Unauthorized
        return status
    logger.warning("the API rejected the token; asking the agent to read %s again", SECRET_ID)
    return api(access_token(read_again=True))
