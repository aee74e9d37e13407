"""`authorize`: what others on this machine can see of the browser."""

import json
import stat
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from token_refresh_worker.cli.browser import opened


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A browser that notes its command line, its environment and the page that it was given."""
    script, note = tmp_path / "browser", tmp_path / "note.json"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from urllib.parse import unquote, urlsplit\n"
        "page = Path(unquote(urlsplit(sys.argv[1]).path))\n"
        "seen = {'arguments': sys.argv, 'environment': dict(os.environ), 'page': page.read_text(),\n"
        "        'modes': [page.stat().st_mode, page.parent.stat().st_mode]}\n"
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
    """The browser gets a local file that only its owner can read, and no secret in its environment."""
    url = "https://example.com/authorize?state=canary-state&code_challenge=canary-challenge"
    environment = {
        "PATH": "/usr/bin:/bin",
        "BROWSER": str(browser),
        "LC_ALL": "C",
        "UPWORK_CLIENT_SECRET": "canary-secret",
        "AWS_SECRET_ACCESS_KEY": "canary-key",
    }

    with opened(url, wanted=True, environment=environment):
        seen = seen_by(browser)

    assert "canary" not in json.dumps([seen["arguments"], seen["environment"]])
    assert "C" == seen["environment"]["LC_ALL"]
    assert "url=https://example.com/authorize?state=canary-state&amp;code_challenge=canary-challenge" in seen["page"]
    assert [0o600, 0o700] == [stat.S_IMODE(mode) for mode in seen["modes"]]
    page = Path(urlsplit(seen["arguments"][1]).path)
    assert not page.parent.exists(), "the file is removed at the end"


def test_no_browser_is_wanted(browser: Path) -> None:
    """With --no-browser no process is started."""
    with opened("https://example.com", wanted=False, environment={"BROWSER": str(browser)}):
        pass

    assert not browser.with_name("note.json").exists()
