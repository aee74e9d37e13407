"""What people write by mistake has a name, and the error shows the right line."""

import pytest
import trio

from testbed.reader_surroundings import Store
from token_refresh.reader import ConfigurationError, SecretReader, TokenReader


def test_a_reader_under_trio(store: Store) -> None:
    """Under trio an asynchronous method says what to write there, and that works."""
    store.put("one")
    tokens, secret = TokenReader("tokens", client=store.client), SecretReader("tokens", client=store.client)

    with pytest.raises(ConfigurationError, match="need asyncio") as caught:
        trio.run(tokens.aget)
    with pytest.raises(ConfigurationError, match="need asyncio"):
        trio.run(secret.asecret)

    assert str(caught.value).endswith("await trio.to_thread.run_sync(tokens.get)")
    assert caught.value.__context__ is None
    assert "one" == trio.run(trio.to_thread.run_sync, tokens.get)
