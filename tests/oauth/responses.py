"""What the tests of token responses share."""

import json
from datetime import timedelta
from typing import Any

from token_refresh_worker.oauth.formats import ResponseFormat
from token_refresh_worker.oauth.response import FailedRequest, TokenResponse, read_response

GOOD: dict[str, Any] = {"access_token": "a", "refresh_token": "r2", "token_type": "Bearer", "expires_in": 86400}


def respond(status: int, body: object = None) -> TokenResponse | FailedRequest:
    return read_response(status, json.dumps(body).encode())


def read(body: object, status: int = 200, **form: Any) -> TokenResponse | FailedRequest:
    return read_response(status, json.dumps(body).encode(), timedelta(seconds=7), ResponseFormat(**form))


def tokens(body: object, **form: Any) -> TokenResponse:
    found = read(body, **form)
    assert isinstance(found, TokenResponse)
    return found
