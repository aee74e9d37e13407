"""The operator's pages: what they name exists. tests/printed runs their commands."""

import re
from pathlib import Path

import typer.main

from token_refresh_worker.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = "".join((DOCS / name).read_text() for name in ("operations.md", "maintain.md"))


def test_every_option() -> None:
    """Every option that the pages name exists."""
    group = typer.main.get_command(app)
    known = {
        option
        for outer in group.commands.values()  # type: ignore[attr-defined]  # a group
        for command in getattr(outer, "commands", {"": outer}).values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }

    named = set(re.findall(r"(?<=[`\s])--[a-z][a-z-]*", PAGES))

    others = {"--from", "--with", "--help", "--secret-id"}  # of uvx, of every command, and of the AWS CLI
    assert set() == named - known - others
