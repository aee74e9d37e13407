"""A Lambda function that asks Upwork who we are. Handler: `lambda_handler.handler`; `test_lambda_handler.py` tests it.

The package comes as a layer or in the function's zip; boto3 is there already. The role needs
`secretsmanager:GetSecretValue` on the secret that TOKEN_SECRET_ID names. A `TokenRefreshError` ends the invocation:
Lambda logs its message, which says what to do and holds no secret.
"""

import json
import logging
import os
import urllib.error
import urllib.request
from typing import Any

from token_refresh.reader import Token, TokenReader

# One for each execution environment: invocations share its cache, frozen in between or restored by SnapStart.
TOKENS = TokenReader(os.environ.get("TOKEN_SECRET_ID", "upwork-oauth-tokens-published"))
API = os.environ.get("UPWORK_API", "https://api.upwork.com")
WHO_AM_I = {"query": "query { user { id nid rid } organization { id } }"}

logger = logging.getLogger()


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an error: urllib would send the token to any host, and the query again after its 401."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


upwork = urllib.request.build_opener(NoRedirects)


def handler(_event: object, _context: object) -> Any:
    """Ask once, and once more if the token was rejected and another one is current."""
    token = TOKENS.token()
    try:
        return ask(token)
    except urllib.error.HTTPError as rejected:
        if rejected.code != 401 or not TOKENS.reject(token):  # noqa: PLR2004 - Unauthorized
            logger.error("Upwork refused the token of version %s: %s", token.version_id, rejected)  # noqa: TRY400 - raised
            raise
    logger.warning("Upwork rejected the token of version %s; another one is current", token.version_id)
    return ask(TOKENS.token())


def ask(token: Token) -> Any:
    """Send the query with the standard library alone."""
    request = urllib.request.Request(  # noqa: S310 - a fixed https address
        f"{API}/graphql",
        data=json.dumps(WHO_AM_I).encode(),
        headers={
            "Authorization": f"Bearer {token.value}",
            "Content-Type": "application/json",
            "User-Agent": "lambda-example/1.0",
        },
    )
    with upwork.open(request, timeout=20) as response:
        return json.load(response)["data"]
