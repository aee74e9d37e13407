"""docs/operations.md: what it names exists. tests/printed runs its commands."""

import re
from pathlib import Path

import typer.main

from token_refresh_worker.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def test_every_option() -> None:
    """Every option that the page names exists."""
    group = typer.main.get_command(app)
    known = {
        option
        for outer in group.commands.values()  # type: ignore[attr-defined]  # a group
        for command in getattr(outer, "commands", {"": outer}).values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }

    named = set(re.findall(r"(?<=[`\s])--[a-z][a-z-]*", PAGE))

    others = {"--from", "--help"}  # of uvx, and of every command
    assert set() == named - known - others
