"""A pytest fixture: `pytest_plugins = ["token_refresh.testing.pytest_plugin"]` in `conftest.py`."""

import pytest

from token_refresh.testing.fakes import FakeTokenReader


@pytest.fixture
def fake_tokens() -> FakeTokenReader:
    """Give a reader with the token `fake-access-token`."""
    return FakeTokenReader()
