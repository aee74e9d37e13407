"""A FastAPI service that passes on what Upwork says about its user.

    uvicorn examples.fastapi_service:app

Needs `pip install "token-refresh[httpx]" fastapi uvicorn` and AWS credentials that may read the secret. If the
secret isn't called `upwork-oauth-tokens-published`, set TOKEN_SECRET_ID to its name or ARN.
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

logger = logging.getLogger("uvicorn.error")
WHO_AM_I = "query { user { id nid rid } organization { id } }"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Share one reader and one client among all requests; neither ever blocks the event loop."""
    tokens = TokenReader(os.environ.get("TOKEN_SECRET_ID", "upwork-oauth-tokens-published"))
    base_url = os.environ.get("UPWORK_API", "https://api.upwork.com")
    headers = {"User-Agent": "fastapi-example/1.0"}
    async with httpx.AsyncClient(base_url=base_url, auth=TokenAuth(tokens), headers=headers) as upwork:
        app.state.tokens, app.state.upwork = tokens, upwork
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(TokenRefreshError)
async def no_token(_request: Request, error: TokenRefreshError) -> JSONResponse:
    """Log why, and return 503; the error's message is for our log, not for the clients."""
    logger.error("no Upwork token: %s: %s", type(error).__name__, error)
    return JSONResponse({"detail": f"no Upwork token: {type(error).__name__}"}, status_code=503)


@app.get("/me")
async def me(request: Request) -> JSONResponse:
    """Ask Upwork with the current token."""
    response = await request.app.state.upwork.post("/graphql", json={"query": WHO_AM_I})
    return JSONResponse(response.json(), status_code=response.status_code)


@app.get("/health")
async def health(request: Request) -> dict[str, str]:
    """Show when the token expires, and which version of the secret it is from."""
    token = await request.app.state.tokens.atoken()
    return {"expires_at": token.expires_at.isoformat(), "version_id": token.version_id}
