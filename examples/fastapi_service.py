"""A FastAPI service that passes on what Upwork says about its user; `test_fastapi_service.py` tests it without AWS.

    uvicorn --app-dir examples --factory fastapi_service:create_app

Needs `pip install "PATH/TO/token-refresh-worker/reader[httpx]" fastapi uvicorn` and AWS credentials that may read the
secret. If the secret isn't called `upwork-oauth-tokens-published`, set TOKEN_SECRET_ID to its name or ARN. No endpoint
reads a body.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from token_refresh.reader import TokenReader, TokenRefreshError
from token_refresh.reader.httpx_auth import TokenAuth

SECRET_ID = os.environ.get("TOKEN_SECRET_ID", "upwork-oauth-tokens-published")
UPWORK = os.environ.get("UPWORK_API", "https://api.upwork.com")
WHO_AM_I = "query { user { id nid rid } organization { id } }"

logger = logging.getLogger("uvicorn.error")


def create_app(tokens: TokenReader | None = None, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Make the service; a test passes a fake of the reader, and of Upwork."""
    tokens = tokens or TokenReader(SECRET_ID)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Share one reader and one client among all requests; neither ever blocks the event loop."""
        headers = {"User-Agent": "fastapi-example/1.0"}
        auth = TokenAuth(tokens)
        async with httpx.AsyncClient(
            base_url=UPWORK, auth=auth, headers=headers, transport=transport
        ) as app.state.upwork:
            yield

    app = FastAPI(lifespan=lifespan)
    app.state.tokens = tokens
    app.add_api_route("/me", me)
    app.add_api_route("/health", health)
    app.add_exception_handler(TokenRefreshError, no_token)
    app.add_exception_handler(httpx.HTTPError, no_upwork)
    return app


async def me(request: Request) -> JSONResponse:
    """Ask Upwork with the current token."""
    response = await request.app.state.upwork.post("/graphql", json={"query": WHO_AM_I})
    if response.is_error:
        logger.error("Upwork responded with %s to a query of /me", response.status_code)
        return JSONResponse({"detail": f"Upwork responded with {response.status_code}"}, status_code=502)
    return JSONResponse(response.json())


async def health(request: Request) -> JSONResponse:
    """Say whether there is a valid token, and how it is: for readiness, not for liveness.

    It asks for the token first: in a service without traffic nothing else would read a new one.
    """
    tokens: TokenReader = request.app.state.tokens
    status = 200
    try:
        await tokens.aget()
    except TokenRefreshError as error:
        logger.warning("not ready: %s: %s", type(error).__name__, error)
        status = 503
    found = tokens.health()
    about = {
        "seconds_to_expiry": found.seconds_to_expiry,
        "age_seconds": found.age_seconds,
        "last_error": found.last_error and type(found.last_error).__name__,
    }
    return JSONResponse(about, status_code=status)


async def no_token(_request: Request, error: Exception) -> JSONResponse:
    """Log why, and return 503; the error's message is for our log, not for the clients."""
    logger.error("no Upwork token: %s: %s", type(error).__name__, error)
    return JSONResponse({"detail": f"no Upwork token: {type(error).__name__}"}, status_code=503)


async def no_upwork(_request: Request, error: Exception) -> JSONResponse:
    """Log why, and return 502."""
    logger.error("no response from Upwork: %s: %s", type(error).__name__, error)
    return JSONResponse({"detail": "no response from Upwork"}, status_code=502)
