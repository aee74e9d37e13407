"""Servers on loopback for the tests of the HTTP adapter."""

from collections.abc import Iterator

import pytest

from adapters.endpoints import Recorder
from testbed.provider.token_endpoint import TokenEndpoint


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(reuse="grace") as running:
        running.grant.authorize()
        yield running


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running
