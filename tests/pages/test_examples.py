"""Commands and Python on the pages: each command is one that exists, and each short program runs."""

import re
import shlex
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import deploy
from printed.everywhere import ROOT, check, of_help, of_messages, of_pages
from testbed.reader_surroundings import Store, WallClock
from testbed.secrets_manager.server import SecretsManagerServer

PROGRAMS = ["README.md", "docs/tutorial.md", "docs/mcp.md"]


def of(program: str) -> list[Any]:
    found = [(name, line) for name, line in of_pages() if line.startswith(program)]
    assert found
    return [pytest.param(line, id=f"{name}-{line}") for name, line in found]


EVERYWHERE = [pytest.param(line, id=f"{where}-{line}") for where, line in [*of_pages(), *of_help(), *of_messages()]]


@pytest.mark.parametrize("line", EVERYWHERE)
def test_command_exists(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program takes each command of pages, help and messages as printed: its name, options and arguments."""
    monkeypatch.chdir(tmp_path)
    Path("client.json").write_text("{}")

    check(line)


def test_commands_are_found() -> None:
    """Commands are collected from each place that prints them."""
    for found in (of_pages(), of_help(), of_messages()):
        assert {"token-refresh refresh", "token-refresh doctor"} <= {" ".join(line.split()[:2]) for _, line in found}
    assert any(line.startswith("aws ") for _, line in of_messages())


def test_what_imports_a_library_installs_it() -> None:
    """Pages and examples with a program that imports `Grants` say how to install the distribution that has it."""
    files = [*ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.py")]
    texts = {path.name: path.read_text() for path in files}
    importing = {name for name, text in texts.items() if re.search("^from token_refresh_admin", text, re.MULTILINE)}
    assert {"grants.md", "fastapi_grants.py"} <= importing
    assert importing == {name for name in importing if "token-refresh-worker/admin" in texts[name]}


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
        store = Store(server, WallClock(time.time()))
        for provider in ("upwork", "xero", "mcp"):
            store.put("canary", secret_id=f"{provider}-oauth-tokens-published")
        yield


def test_the_policy_for_amplify_reads_what_its_functions_read() -> None:
    """Each secret that a function of docs/amplify.md reads is in a family of the deployment that the page makes."""
    page = (ROOT / "docs" / "amplify.md").read_text()
    (deployment,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    made = tomllib.loads(deployment)
    read = [name.format(env=made["environment"]) for name in re.findall(r'secretOf\("(.+?)"', page)]

    assert {"myapp/prod/stripe-webhook-secret", "chinchilla-ai-academy/prod/slack#signingSecret"} <= {*read}
    assert [] == [name for name in read if not name.startswith(tuple(made["read_under"]))]


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("page", PROGRAMS)
def test_programs_run(page: str) -> None:
    """Each Python block runs as printed, and its last line reads a token."""
    for block in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL):
        *lines, last = block.strip().splitlines()
        names: dict[str, Any] = {}
        exec("\n".join(lines), names)  # noqa: S102 - our own page
        assert "canary" == eval(last.partition("#")[0], names)  # noqa: S307 - likewise
