"""`authorize`: what others on this machine can see of the browser."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from cli.scene import Cli
from testbed.programs import write_program
from token_refresh_admin.cli.browser import opened


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A browser that notes its command line and its environment."""
    note = str(tmp_path / "note.json")
    return write_program(
        tmp_path / "browser",
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "seen = {'arguments': sys.argv, 'environment': dict(os.environ)}\n"
        f"Path({note!r} + '.part').write_text(json.dumps(seen))\n"
        f"os.rename({note!r} + '.part', {note!r})\n",
    )


def seen_by(browser: Path) -> dict[str, Any]:
    note, until = browser.with_name("note.json"), time.monotonic() + 30
    while not note.exists():
        assert time.monotonic() < until, "the browser was not started"
        time.sleep(0.02)
    seen: dict[str, Any] = json.loads(note.read_text())
    return seen


def test_what_the_browser_gets(browser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser gets the address, and no secret in its environment; where none is wanted no process is started."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "BROWSER": str(browser),
        "LC_ALL": "C",
        "UPWORK_CLIENT_SECRET": "canary-secret",
        "AWS_SECRET_ACCESS_KEY": "canary-key",
    }

    with opened("http://127.0.0.1:1/page", wanted=True, environment=environment):
        seen = seen_by(browser)
    monkeypatch.setattr("subprocess.Popen", Mock(side_effect=AssertionError("a process was started")))
    with opened("https://example.com", wanted=False, environment=environment):
        pass

    assert "http://127.0.0.1:1/page" == seen["arguments"][1]
    assert "canary" not in json.dumps(seen["environment"])
    assert "C" == seen["environment"]["LC_ALL"]


@pytest.mark.parametrize("option", [[], ["--no-browser"]], ids=["default", "--no-browser"])
def test_the_command_asks_for_one(
    cli: Cli, client_file: Path, free_port: int, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    """`authorize` opens a browser unless --no-browser says otherwise."""
    asked: list[bool] = []

    def noted(_url: str, *, wanted: bool, environment: object) -> contextlib.nullcontext[None]:
        del environment
        asked.append(wanted)
        return contextlib.nullcontext()

    monkeypatch.setattr("token_refresh_admin.cli.authorize.opened", noted)
    redirect = f"--redirect-uri=http://127.0.0.1:{free_port}/callback"
    cli("authorize", f"--client-file={client_file}", redirect, "--timeout=1", "--yes", *option)

    assert [not option] == asked
