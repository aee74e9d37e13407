"""The shell commands in the code blocks of README and docs."""

import re
import shlex
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the contents of a page's code blocks in these languages."""
    return [textwrap.dedent(text) for _, language, text in _BLOCK.findall(page.read_text()) if language in languages]


def commands(page: Path) -> list[str]:
    """Return the commands of a page's shell blocks, in order; one that goes over several lines is one."""
    return [command for block in blocks(page, "sh", "bash", "console", "shell") for command in _split(block)]


def _split(block: str) -> list[str]:
    lines = block.splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    found, open_command = [], ""
    for line in lines:
        open_command += line
        if open_command.endswith("\\") or not _is_closed(open_command):
            open_command += "\n"
        elif open_command.strip():
            found.append(open_command)
            open_command = ""
    return found


def _is_closed(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True
