"""No token and no secret in a reader's logs, errors and reprs, at any level, whatever goes wrong."""

import json
import logging
import traceback

import pytest

from testbed.reader_surroundings import Store, WallClock, runtime
from token_refresh.reader import SecretGroup, SecretReader, TokenReader, TokenRefreshError

CANARY = "canary-4711"
BROKEN = {
    "no JSON": CANARY,
    "no object": json.dumps([CANARY]),
    "bad expiry": json.dumps({"accessToken": CANARY, "refreshToken": CANARY, "expiresAt": CANARY}),
    "bad token": json.dumps({"accessToken": f"{CANARY} {CANARY}", "refreshToken": CANARY}),
    "both": json.dumps({"refreshToken": CANARY, "refresh_token": CANARY}),
    "expired": json.dumps({"accessToken": CANARY, "refreshToken": CANARY, "expiresAt": 1_700_000_000_000}),
    "client": json.dumps({"clientSecret": CANARY}),
}


def all_of(error: BaseException) -> str:
    """Write an error as an error reporter does: its whole chain, and every frame's local variables."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(report.format()) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_errors_hold_nothing(
    store: Store, clock: WallClock, text: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither an error, nor the local variables of its traceback, nor a log line holds a part of the document."""
    store.put_text(text)
    reader = TokenReader("tokens", client=store.client, runtime=runtime(clock))
    del text
    with caplog.at_level(logging.DEBUG, logger="token_refresh"):
        for _ in range(2):
            with pytest.raises(TokenRefreshError) as caught:
                reader.get()
            assert CANARY not in all_of(caught.value)
    assert CANARY not in caplog.text + "".join(capfd.readouterr())


def test_warnings_hold_nothing(store: Store, clock: WallClock, caplog: pytest.LogCaptureFixture) -> None:
    """The warning about a failed read, while a valid token is served, shows no token."""
    reader = TokenReader("tokens", client=store.client, background=False, runtime=runtime(clock))
    store.put(CANARY)
    reader.get()
    store.put_text(BROKEN["bad expiry"])
    clock.advance(3000)
    assert CANARY == reader.get()
    assert ["serving the cached value: InvalidSecretDocument"] == [
        message.rpartition(": ")[0][:47] for message in caplog.messages
    ]
    assert CANARY not in caplog.text


def test_other_secrets(store: Store) -> None:
    """A secret of another form than expected is not quoted in the error."""
    store.put_text(CANARY, secret_id="plain")
    store.client.create_secret(Name="binary", SecretBinary=CANARY.encode())
    group = SecretGroup("plain", "binary", client=store.client)
    for read in (SecretReader("plain", client=store.client).json, group["binary"].text, group["plain"].json):
        with pytest.raises(TokenRefreshError) as caught:
            read()
        assert CANARY not in all_of(caught.value)
