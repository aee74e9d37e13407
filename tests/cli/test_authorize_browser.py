"""`authorize`: what others on this machine can see of the browser."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from token_refresh_worker.cli.browser import opened


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A browser that notes its command line and its environment."""
    script, note = tmp_path / "browser", tmp_path / "note.json"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "seen = {'arguments': sys.argv, 'environment': dict(os.environ)}\n"
        f"Path('{note}.part').write_text(json.dumps(seen))\n"
        f"os.rename('{note}.part', '{note}')\n"
    )
    script.chmod(0o700)
    return script


def seen_by(browser: Path) -> dict[str, Any]:
    note, until = browser.with_name("note.json"), time.monotonic() + 30
    while not note.exists():
        assert time.monotonic() < until, "the browser was not started"
        time.sleep(0.02)
    seen: dict[str, Any] = json.loads(note.read_text())
    return seen


def test_what_the_browser_gets(browser: Path) -> None:
    """The browser gets the address, and no secret in its environment."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "BROWSER": str(browser),
        "LC_ALL": "C",
        "UPWORK_CLIENT_SECRET": "canary-secret",
        "AWS_SECRET_ACCESS_KEY": "canary-key",
    }

    with opened("http://127.0.0.1:1/page", wanted=True, environment=environment):
        seen = seen_by(browser)

    assert "http://127.0.0.1:1/page" == seen["arguments"][1]
    assert "canary" not in json.dumps(seen["environment"])
    assert "C" == seen["environment"]["LC_ALL"]


def test_no_browser_is_wanted(browser: Path) -> None:
    """With --no-browser no process is started."""
    with opened("https://example.com", wanted=False, environment={"BROWSER": str(browser)}):
        pass

    assert not browser.with_name("note.json").exists()
