"""How `upwork_graphql.py` is tested: `pytest examples/test_upwork_graphql.py`. It needs neither AWS nor a network."""

import httpx
import pytest
from upwork_graphql import WHO_AM_I, ask, connect

from token_refresh.testing import FakeTokenReader


def test_a_newer_token_is_used() -> None:
    """After a 401 the query is sent once more, with the token that is current by then."""
    tokens = FakeTokenReader("old")

    def upwork(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer new":
            return httpx.Response(200, json={"data": {"user": {"id": "1"}}})
        tokens.refresh("new")  # as the worker would
        return httpx.Response(401)

    with connect(tokens, transport=httpx.MockTransport(upwork)) as client:
        assert ask(client, WHO_AM_I) == {"user": {"id": "1"}}
    assert tokens.rejected == ["old"]


def test_an_error_of_graphql_is_an_error() -> None:
    """What comes with status 200 and `errors` is raised with its message."""
    response = httpx.Response(200, json={"errors": [{"message": "no such field"}]})

    with (
        connect(FakeTokenReader(), transport=httpx.MockTransport(lambda _request: response)) as client,
        pytest.raises(RuntimeError, match="no such field"),
    ):
        ask(client, WHO_AM_I)
