"""A command that is interrupted after each of its writes, and another operator's commands after it.

`status` says how it is, and the commands that it prints lead back: a service reads the current token, the grant lives.
"""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.authorizing import paste_into, written
from cli.scene import Cli, Ended, Tokens
from testbed.builders import DAY
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import TokenReader
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret

PUBLISHED = {"PUBLISHED_SECRET_ID": "published"}
LOOKS = ("status", "doctor", "history")
COMMANDS: dict[str, tuple[str, ...]] = {
    "refresh": ("refresh", "--force", "--yes"),
    "restore": ("restore", "--yes"),
    "client": ("client", "--client-file", "client.json"),
    "pause": ("pause", "--for", "1h", "--why", "maintenance"),
    "authorize": (),
}


class Interrupts:
    """Interrupts a command after one of its writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.happened = False
        for name in ("put", "move_label"):
            monkeypatch.setattr(SecretsManagerSecret, name, self.after(getattr(SecretsManagerSecret, name)))

    def after(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            done = write(*given, **named)
            self.left -= 1
            if self.left == 0:
                self.happened = True
                raise KeyboardInterrupt
            return done

        return wrapped


def repairs(ended: Ended) -> list[list[str]]:
    """Give the commands that a message prints and that change something."""
    lines = [line.strip() for line in ended.out.splitlines() if line.strip().startswith("token-refresh ")]
    return [words for words in map(shlex.split, lines) if words[1] not in LOOKS]


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupted_after_each_write(  # noqa: PLR0917 - fixtures
    cli: Cli,
    tokens: Tokens,
    store: SecretsManagerServer,
    endpoint: TokenEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Wherever it ends, the next operator sees the truth and needs no more than two printed commands."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, {"clientId": endpoint.client_id, "clientSecret": endpoint.client_secret})
    store.client().create_secret(Name="published")
    interrupts = Interrupts(monkeypatch)

    def begin(write: int) -> Ended:
        if write == 1:
            tokens.store(expires_in=2 * DAY)
            cli("refresh", **PUBLISHED)
        tokens.put({**tokens.current(), "note": str(write)})
        interrupts.left, interrupts.happened = write, False
        if name == "authorize":
            issued = endpoint.grant.authorize()
            endpoint.play(script.status(200, {**issued, "expires_in": 86400}))
            stored: Ended = paste_into(cli, monkeypatch, **PUBLISHED)
            return stored
        return cli(*COMMANDS[name], **PUBLISHED)

    write = 1
    while (ended := begin(write)).code == 130 or interrupts.happened:
        interrupts.left = 0
        if name == "pause":
            cli("resume", **PUBLISHED)
        seen = cli("status", COLUMNS="500", **PUBLISHED)
        assert seen.code in {0, 1, 2}, seen.screen
        for _ in range(2):
            if seen.code:
                for words in repairs(seen)[:1]:
                    cli(*words[1:], **PUBLISHED)
                store.clock_offset_seconds += 1300  # Claims have ended, and no copy is young.
                cli("refresh", **PUBLISHED)
                seen = cli("status", COLUMNS="500", **PUBLISHED)
        assert 0 == seen.code, (name, write, seen.screen)
        current = tokens.current()
        assert current["accessToken"] == TokenReader("published", client=store.client(), background=False).get()
        # A consent that was not stored is lost; the tokens before it are still there.
        assert name == "authorize" or endpoint.grant.accepts(current["refreshToken"]), (name, write)
        store.clock_offset_seconds += 1300
        write += 1
    assert (0, True) == (ended.code, write > 1), ended.screen
