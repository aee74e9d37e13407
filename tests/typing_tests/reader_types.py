"""What type checkers conclude about the reader; mypy checks this file, nothing runs it."""

from datetime import datetime, timedelta
from typing import Any, assert_type

import httpx

from token_refresh.reader import Secret, SecretGroup, SecretReader, Token, TokenHealth, TokenReader
from token_refresh.reader.httpx_auth import TokenAuth
from token_refresh.testing import FakeSecretReader, FakeTokenReader

tokens = TokenReader("tokens", max_age=timedelta(minutes=5), region="eu-central-1")
assert_type(tokens.get(), str)
assert_type(tokens.token(), Token)
assert_type(tokens.token().expires_at, datetime)
assert_type(tokens.reject(tokens.token()), bool)
assert_type(tokens.health(), TokenHealth)
assert_type(tokens.health().seconds_to_expiry, float | None)

secrets = SecretReader("stripe", field="signingSecret", overlap=timedelta(hours=1))
assert_type(secrets.accepted(), tuple[Secret, ...])
assert_type(secrets.text(), str)
assert_type(secrets.json(), Any)
assert_type(secrets.binary(), bytes)

group = SecretGroup("prod/stripe", "prod/slack")
assert_type(group["prod/stripe"], Secret)


async def consume() -> None:
    """Read without blocking the event loop."""
    assert_type(await tokens.aget(), str)
    assert_type(await tokens.atoken(), Token)
    assert_type(await secrets.asecret(), Secret)


client = httpx.Client(auth=TokenAuth(tokens))

a_fake_is_a_reader: TokenReader = FakeTokenReader()
a_fake_is_a_secret_reader: SecretReader = FakeSecretReader()

tokens.token().value = "other"  # type: ignore[misc]  # frozen
TokenReader("tokens", 5)  # type: ignore[call-arg,arg-type]  # options are named
TokenReader("tokens", max_age=5)  # type: ignore[arg-type]  # a timedelta
