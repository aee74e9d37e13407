"""How `lambda_handler.py` is tested: `pytest examples/test_lambda_handler.py`. It needs neither AWS nor a network."""

import urllib.error
from email.message import Message

import lambda_handler as function
import pytest

from token_refresh.reader import Token, TokenExpired
from token_refresh.testing import FakeTokenReader

ME = {"user": {"id": "1"}}


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> FakeTokenReader:
    """Put a fake of the reader and of Upwork, which accepts the token `new`, into the function."""

    def ask(token: Token) -> object:
        if token.value != "new":
            raise urllib.error.HTTPError("https://api.upwork.com", 401, "Unauthorized", Message(), None)
        return ME

    fake = FakeTokenReader("old")
    monkeypatch.setattr(function, "TOKENS", fake)
    monkeypatch.setattr(function, "ask", ask)
    return fake


def test_it_goes_on_after_a_refresh(
    tokens: FakeTokenReader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If another token is current after a 401, it asks once more."""
    version = tokens.token().version_id
    reject = tokens.reject
    monkeypatch.setattr(tokens, "reject", lambda token: [tokens.refresh("new"), reject(token)][1])

    assert function.handler({}, None) == ME
    assert f"Upwork rejected the token of version {version}; another one is current" in caplog.text


def test_a_real_401_is_an_error(tokens: FakeTokenReader, caplog: pytest.LogCaptureFixture) -> None:
    """If the same token is current, the invocation fails, and the log has the version and no token."""
    with pytest.raises(urllib.error.HTTPError, match="401"):
        function.handler({}, None)
    assert f"Upwork refused the token of version {tokens.token().version_id}" in caplog.text
    assert "old" not in caplog.text


def test_without_a_token(tokens: FakeTokenReader) -> None:
    """The invocation fails with the reader's own error, which says what to do."""
    tokens.fail(TokenExpired("no newer token"))

    with pytest.raises(TokenExpired, match="no newer token"):
        function.handler({}, None)
