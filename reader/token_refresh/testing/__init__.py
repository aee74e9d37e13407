"""Fakes for the tests of services that use the readers, and signed deliveries. They need no AWS and no network.

    tokens = FakeTokenReader("first")
    service = Service(tokens)
    tokens.refresh("second")  # as the worker would
    tokens.refresh("third", lifetime=timedelta())  # expired: a fake never serves it
    tokens.fail(TokenExpired("no token"))  # as an outage would

    headers = sign(STRIPE, body, "whsec_...")  # as Stripe would

With pytest: `pytest_plugins = ["token_refresh.testing.pytest_plugin"]` in `conftest.py` gives the fixtures
`fake_tokens` and `fake_secret`. See docs/testing.md.
"""

from token_refresh.testing.fakes import FakeSecretReader, FakeTokenReader
from token_refresh.testing.signing import sign

__all__ = ["FakeSecretReader", "FakeTokenReader", "sign"]
