"""The worker's request to a token endpoint, from a client that the endpoint knows."""

import httpx

from testbed.provider.token_endpoint import TokenEndpoint


def refresh(endpoint: TokenEndpoint, refresh_token: str, **form: str) -> httpx.Response:
    credentials = {"client_id": endpoint.client_id, "client_secret": endpoint.client_secret}
    data = {"grant_type": "refresh_token", "refresh_token": refresh_token, **credentials, **form}
    return httpx.post(endpoint.url, data=data, timeout=30)
