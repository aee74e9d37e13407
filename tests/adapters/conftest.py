"""Token endpoints for the tests of the HTTP adapter: on loopback, where the wire matters, and played."""

from collections.abc import Iterator

import pytest
import respx

from adapters.endpoints import BODY, URL
from testbed.provider.token_endpoint import TokenEndpoint


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(reuse="grace") as running:
        running.grant.authorize()
        yield running


@pytest.fixture
def provider() -> Iterator[respx.Route]:
    """A token endpoint that respx plays: it takes every request."""
    with respx.mock(using="httpcore", assert_all_called=False) as router:
        yield router.route(url__startswith=URL).respond(content=BODY)
