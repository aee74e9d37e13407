"""Every command that pages, help and messages print, and whether the program takes it."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import typer.main
from botocore import xform_name

from printed.blocks import commands
from token_refresh_admin.cli import app as command_line

ROOT = Path(__file__).parents[2]
# docs/commands.md is made from the command line itself.
DOCS = [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "commands.md"]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *DOCS]
PACKAGES = (
    ROOT / "reader" / "token_refresh",
    ROOT / "worker" / "token_refresh_worker",
    ROOT / "admin" / "token_refresh_admin",
)
PROGRAMS = ("token-refresh", "aws", "scripts/")
VALUE = "VALUE"
"""Stands for what is known only when a message is made."""

_INLINE = re.compile(r"`((?:token-refresh|aws|scripts/\w+) [^`]+)`")
_OF_THE_CLI_ALONE = {
    *("logs tail", "sso login", "configure sso", "configure list-profiles"),
    *("cloudformation deploy", "cloudformation package", "s3 cp"),
}
"""Commands of the AWS CLI that are no operation of a service."""
_GLOBAL = {
    "region",
    "profile",
    "query",
    "output",
    "endpoint-url",
    "no-cli-pager",
    "max-items",
    "zip-file",
    "notification-endpoint",
}


def of_page(page: Path) -> list[str]:
    """Return the commands of a page, in blocks and in sentences."""
    lines = [" ".join(line.replace("\\\n", " ").split()) for line in commands(page)]
    inline = [" ".join(line.split()) for line in _INLINE.findall(page.read_text())]
    return [line.removeprefix(".venv/bin/") for line in lines] + inline


def of_pages() -> list[tuple[str, str]]:
    """Return the commands of all pages, each with its page's name."""
    found = [(page.name, line) for page in PAGES for line in of_page(page) if line.startswith(PROGRAMS)]
    return list(dict.fromkeys(found))


def of_help() -> list[tuple[str, str]]:
    """Return the examples that `--help` shows."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, str]]:
        for line in (command.epilog or "").splitlines():
            if line.startswith("token-refresh "):
                yield f"{name} --help", line
        for sub, one in getattr(command, "commands", {}).items():
            yield from walk(one, f"{name} {sub}")

    # Without the epilog of the whole program, which is a sentence.
    commands = typer.main.get_command(command_line.app).commands  # type: ignore[attr-defined]  # a group
    return [found for name, command in commands.items() for found in walk(command, name)]


def of_messages() -> list[tuple[str, str]]:
    """Return the commands in messages, each with its place: as the code builds them, with `VALUE` for each value."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", shlex.join(words))
        for package in PACKAGES
        for path in sorted(package.rglob("*.py"))
        for node, words in _built_in(ast.parse(path.read_text()))
        if words and words[0].startswith(PROGRAMS)
    ]


def _built_in(tree: ast.AST) -> Iterator[tuple[ast.Call, list[str]]]:
    decorators = {id(call) for node in ast.walk(tree) for call in getattr(node, "decorator_list", ())}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or id(node) in decorators or not node.args:
            continue
        first, *others = node.args
        match node.func:
            case ast.Name("Command") if isinstance(first, ast.Tuple) and not isinstance(first.elts[1], ast.Starred):
                yield node, [word for element in first.elts for word in _words(element)]
            case ast.Attribute(ast.Name("Command"), "of"):
                yield node, _line(first)
            case ast.Attribute(_, "command") | ast.Name("command") if isinstance(first, ast.Constant):
                if str(first.value).startswith(PROGRAMS):  # `AwsRequest.command`: a whole line
                    yield node, [*_line(first), "--region", VALUE]
                    continue
                options = [word for other in others for word in _words(other)]
                yield node, ["token-refresh", *str(first.value).split(), VALUE, "--region", VALUE, *options]


def _line(node: ast.expr) -> list[str]:
    return str(node.value).replace("{}", VALUE).split() if isinstance(node, ast.Constant) else [VALUE]


def _words(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Starred):  # Options that something else gives.
        return ["--to", "versions"] if "move_options" in ast.unparse(node) else []
    return [str(node.value)] if isinstance(node, ast.Constant) else [VALUE]


@cache
def _operations(service: str) -> dict[str, set[str]]:
    """Return the options of each operation of a service, as the AWS CLI names both."""
    model = botocore.session.get_session().get_service_model(service)
    found = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        members = {xform_name(member, "-") for member in shape.members} if shape else set()
        found[xform_name(name, "-")] = members | {f"no-{member}" for member in members}
    return found


def check(line: str) -> None:
    """Check that a program takes a command as it is printed: its name, its options, and how many arguments it has."""
    # Brackets: may be left out. A pipe ends the command.
    program, *words = shlex.split(re.sub(r"[\[\]]", "", line).partition(" | ")[0], comments=True)
    if program == "token-refresh":
        command: Any = typer.main.get_command(command_line.app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not words or not hasattr(command, "commands"), words
        if words and words != ["--help"]:  # a name alone, in a sentence, stands for the command
            command.make_context("token-refresh", words)
    elif program == "aws" and len(words) > 1 and " ".join(words[:2]) not in _OF_THE_CLI_ALONE:
        service, operation, *rest = words
        if operation == VALUE:
            return
        options = {word[2:].partition("=")[0] for word in rest if word.startswith("--")}
        assert operation in _operations(service), operation
        assert options <= _operations(service)[operation] | _GLOBAL, options
