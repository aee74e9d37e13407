"""Ask Upwork who we are, with the token that the worker keeps fresh; `test_upwork_graphql.py` tests it without AWS.

    python examples/upwork_graphql.py

Needs `pip install "PATH/TO/token-refresh-worker/reader[httpx]"` and AWS credentials that may read the secret.
If the secret isn't called `upwork-oauth-tokens-published`, set TOKEN_SECRET_ID to its name or ARN.
"""

import os
import sys
from typing import Any

import httpx

from token_refresh.reader import TokenReader, TokenRefreshError
from token_refresh.reader.httpx_auth import TokenAuth

UPWORK = "https://api.upwork.com"
WHO_AM_I = "query { user { id nid rid } organization { id } }"


def connect(
    tokens: TokenReader, *, base_url: str = UPWORK, transport: httpx.BaseTransport | None = None
) -> httpx.Client:
    """Make a client that adds the token to each request, and after a 401 repeats it once with a newer one."""
    # Upwork sends a web page to clients without a User-Agent of their own.
    headers = {"User-Agent": "upwork-graphql-example/1.0"}
    return httpx.Client(base_url=base_url, auth=TokenAuth(tokens), headers=headers, timeout=20, transport=transport)


def ask(client: httpx.Client, query: str) -> Any:
    """Run a GraphQL query; its errors come with HTTP 200."""
    response = client.post("/graphql", json={"query": query})
    response.raise_for_status()
    result = response.json()
    if result.get("errors"):
        raise RuntimeError("; ".join(error["message"] for error in result["errors"]))
    return result["data"]


def main() -> None:
    """Print the user and the organization that the token belongs to, or in one line why not."""
    tokens = TokenReader(os.environ.get("TOKEN_SECRET_ID", "upwork-oauth-tokens-published"))
    try:
        with connect(tokens, base_url=os.environ.get("UPWORK_API", UPWORK)) as client:
            print(ask(client, WHO_AM_I))  # noqa: T201 - an example shows what it got
    except (TokenRefreshError, httpx.HTTPError, RuntimeError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
