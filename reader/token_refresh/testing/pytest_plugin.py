"""Pytest fixtures: `pytest_plugins = ["token_refresh.testing.pytest_plugin"]` in `conftest.py`."""

import pytest

from token_refresh.testing.fakes import FakeSecretReader, FakeTokenReader


@pytest.fixture
def fake_tokens() -> FakeTokenReader:
    """Return a reader with the token `fake-access-token`."""
    return FakeTokenReader()


@pytest.fixture
def fake_secret() -> FakeSecretReader:
    """Return a reader with the secret `fake-secret`."""
    return FakeSecretReader()
