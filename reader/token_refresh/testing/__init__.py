"""Fakes for the tests of services that use the readers. They need no AWS, no network and no patching.

    tokens = FakeTokenReader("first")
    service = Service(tokens)
    tokens.refresh("second")  # as the worker would
    tokens.fail(TokenExpired("no token"))  # as an outage would

With pytest: `pytest_plugins = ["token_refresh.testing.pytest_plugin"]` in `conftest.py` gives a fixture `fake_tokens`.
"""

from token_refresh.testing.fakes import FakeSecretReader, FakeTokenReader

__all__ = ["FakeSecretReader", "FakeTokenReader"]
