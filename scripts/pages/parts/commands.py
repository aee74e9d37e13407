"""The command line's help, made by typer's own generator."""

import html
import os
import re
import subprocess
import sys

_APP = "token_refresh_admin.cli.app"
_GENERATOR = ("-m", "typer", _APP, "utils", "docs", "--name", "token-refresh", "--title", "Commands")
_COMPLETION = re.compile(r"^\* `--(?:install|show)-completion`.*\n", re.MULTILINE)
_CUT_OFF = re.compile(r"^\* `(?P<name>[a-z]+)`: (?P<begin>.*)\.\.\.$", re.MULTILINE)
_IN_PROSE = re.compile(r"(?<=with )--watch|token-refresh --install-completion")
_SHARED = re.compile(r"^\* `(?:SECRET_ID|--region|--profile|--provider|--function|--debug|--help)\b.*\n", re.MULTILINE)
_EMPTY = re.compile(r"^\*\*(?:Arguments|Options)\*\*:\n\n\n?(?=\n|\Z|\*\*)", re.MULTILINE)
_USAGE = re.compile(r"^\*\*Usage\*\*:\n\n```text\n.*\n```\n\n", re.MULTILINE)
_LISTED = re.compile(r"^\*\*Commands\*\*:\n\n(?:\* .*\n)+\n*", re.MULTILINE)
_EXAMPLES = re.compile(r"^\[bold\]Examples\[/\]\n((?:^token-refresh .*\n)+)", re.MULTILINE)


def commands() -> str:
    """Return each command's help; examples become blocks, and what typer cuts off in a list is completed."""
    settings = {"PATH": os.environ["PATH"]}  # defaults are read from the environment
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, *_GENERATOR], env=settings, stdout=subprocess.PIPE, text=True, check=True
    )
    text = html.unescape(done.stdout).replace("```console", "```text")
    text = _CUT_OFF.sub(lambda cut: _completed(cut, text), _COMPLETION.sub("", text))
    text = _IN_PROSE.sub(r"`\g<0>`", text)  # the site would make a dash of two hyphens
    return _shared_once(_EXAMPLES.sub(r"**Examples**:\n\n```text\n\1```\n", text)).strip()


def _shared_once(text: str) -> str:
    """Move what the commands share to the beginning; the examples show how each is used."""
    top, (first, *others) = text[: text.index("\n## ")], _LISTED.sub("", _USAGE.sub("", text)).split("\n## ")[1:]
    shared = set(_SHARED.findall(first))
    listed = "".join(line for line in first.splitlines(keepends=True) if line in shared)
    where = (
        "Every command on a secret has them; those on a fleet have `--region`, `--profile`, `--debug` and `--help`. "
    )
    where += (
        "`fleet add` has `--provider` as well, and checks that there is such a profile. `fleet status`, "
        "`fleet pause` and `fleet resume` have an option of that name that chooses members."
    )
    sections = [
        _EMPTY.sub("", "".join(line for line in section.splitlines(keepends=True) if line not in shared))
        for section in (first, *others)
    ]
    return "\n## ".join([top, f"Common options\n\n{where}\n\n{listed}", *sections])


def _completed(cut: re.Match[str], text: str) -> str:
    """Give a command's line in a list the whole first paragraph of its section."""
    whole = re.search(rf"^{re.escape(cut['begin'])}.*$", text.partition("\n## ")[2], re.MULTILINE)
    return f"* `{cut['name']}`: {whole[0]}" if whole else cut[0]
