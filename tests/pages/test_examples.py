"""Commands and Python on the pages: each command is one that exists, and each short program runs."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import deploy
from reader.surroundings import Clock, Store
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.cli.app import app

ROOT = Path(__file__).parents[2]
# docs/commands.md is made from the command line itself.
DOCS = [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "commands.md"]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS]
PROGRAMS = ["README.md", "docs/tutorial.md", "docs/mcp.md", "docs/several-secrets.md"]
BLOCK = re.compile(r"^ *```(?:console|sh)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:token-refresh|scripts/\w+) [^`]+)`")


def commands(page: Path) -> list[str]:
    """Every command on a page, in blocks and in sentences."""
    text = page.read_text()
    lines = [line.strip().removeprefix("$ ") for block in BLOCK.findall(text) for line in block.splitlines()]
    return [re.sub(r"^\.venv/bin/", "", line) for line in lines] + [" ".join(i.split()) for i in INLINE.findall(text)]


def of(program: str) -> list[Any]:
    found = [(page.name, line) for page in PAGES for line in commands(page) if line.startswith(program)]
    assert found
    return [pytest.param(line, id=f"{name}-{line}") for name, line in dict.fromkeys(found)]


@pytest.mark.parametrize("line", of("token-refresh "))
def test_command_exists(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line takes it as printed: command, options and the number of arguments."""
    monkeypatch.chdir(tmp_path)
    Path("client.json").write_text("{}")
    words = shlex.split(re.sub(r"[\[\]]", "", line), comments=True)[1:]  # brackets: may be left out
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not words or not hasattr(command, "commands")
    if words and words != ["--help"]:  # a name alone, in a sentence, stands for the command
        command.make_context("token-refresh", words)


@pytest.mark.parametrize("line", of("scripts/deploy "))
def test_deployment_is_understood(line: str) -> None:
    """`scripts/deploy` takes it as printed."""
    words = shlex.split(line, comments=True)[1:]

    assert deploy.parse(words).name or words == ["NAME"]


@pytest.mark.parametrize("line", of("scripts/"))
def test_script_exists(line: str) -> None:
    """The script is there, and knows the subcommand."""
    script, *words = shlex.split(line, comments=True)
    text = (ROOT / script).read_text()
    known = {path.stem for path in (ROOT / "scripts").rglob("*.py")}

    if script != "scripts/deploy":
        assert all(word in text or word in known for word in words[:1] if word.islower() and word[0] != "-")


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The published secrets that the programs read."""
    with SecretsManagerServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        store = Store(server, Clock(time.time()))
        for provider in ("upwork", "xero", "mcp"):
            store.put("canary", secret_id=f"{provider}-oauth-tokens-published")
        yield


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("page", PROGRAMS)
def test_programs_run(page: str) -> None:
    """Each Python block runs as printed, and its last line reads a token."""
    for block in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL):
        *lines, last = block.strip().splitlines()
        names: dict[str, Any] = {}
        exec("\n".join(lines), names)  # noqa: S102 - our own page
        assert "canary" == eval(last.partition("#")[0], names)  # noqa: S307 - likewise
