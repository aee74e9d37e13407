"""What reaches the terminal: nothing that steers it, and nothing that it can't show."""

import ast
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY, NOW
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.cli.screen import ago, printable

GROUP = "unmeasured"

CLI = Path(__file__).parents[2] / "admin" / "token_refresh_admin" / "cli"
ESCAPE = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"


def test_every_text_is_made_in_one_place() -> None:
    """Only the screen's module makes styled text, so that nothing is printed unchecked."""
    makers = [
        path.relative_to(CLI).as_posix()
        for path in CLI.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and node.args + node.keywords
        if ast.unparse(node.func) in {"Text", "print", "Console"}
    ]

    assert {"screen.py"} == set(makers)


def test_what_has_just_happened() -> None:
    """What happened within the last second lies in the past, although the service tells the time in whole seconds."""
    assert "0 s ago" == ago(NOW + timedelta(seconds=0.9), NOW)


def test_printable() -> None:
    """Control characters, direction overrides and half of a surrogate pair are replaced; line breaks stay."""
    assert "a\nb" == printable("a\nb")
    assert all(character.isprintable() for character in printable(ESCAPE + "\ud800\x00\x7f"))


@pytest.mark.parametrize("command", ["status", "history", "doctor", "restore"])
def test_stored_labels_and_ids(cli: Cli, tokens: Tokens, store: SecretsManagerServer, command: str) -> None:
    """A label or a client ID with terminal escapes is printed without them, and a line break makes no line."""
    tokens.store(expires_in=DAY, clientId=f"me{ESCAPE}")
    tokens.store(expires_in=DAY, clientId=f"me{ESCAPE}")
    version_id = store.client().get_secret_value(SecretId=SECRET_ID)["VersionId"]
    store.client().update_secret_version_stage(
        SecretId=SECRET_ID, VersionStage=f"mine{ESCAPE}\nforged", MoveToVersionId=version_id
    )

    ended = cli(command)

    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(ended.out + ended.err)
    assert "owned" in ended.screen or command == "restore"
    assert not [line for line in ended.out.splitlines() if line.strip().startswith("forged")]


def test_an_ascii_terminal(tokens: Tokens, environment: dict[str, str]) -> None:
    """A terminal without Unicode gets ASCII and no error, whatever characters a label has."""
    tokens.store(expires_in=DAY)
    tokens.put(tokens.current(), VersionStages=["AWSCURRENT", "grün"])
    command = str(Path(sys.executable).with_name("token-refresh"))

    ended = subprocess.run(  # noqa: S603 - our own command
        [command, "status"],
        env=environment | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )

    assert (0, True, True) == (ended.returncode, ended.stdout.isascii(), b"#####" in ended.stdout)
    assert b"InternalError" not in ended.stdout + ended.stderr


def test_a_narrow_terminal(cli: Cli, tokens: Tokens) -> None:
    """On 40 columns, labels, fates and IDs are wrapped and never cut."""
    version_id = tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    history, doctor = cli("history", COLUMNS="40"), cli("doctor", f"--consumer-version={version_id}", COLUMNS="40")

    assert "…" not in history.out + doctor.out
    assert all(len(line) <= 40 for line in history.out.splitlines())


def test_commands_are_not_wrapped(cli: Cli) -> None:
    """A command in a message has a line for itself, however long it is, so that it can be copied."""
    name = "a-long-name/of-a-secret/that-does-not-fit-on-one-line-of-a-terminal-of-80-columns"

    ended = cli("status", name)

    assert f"  token-refresh authorize {name} --region eu-central-1" in ended.err.splitlines()
