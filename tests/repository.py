"""What tests of the whole repository read of it: its files, and the texts in its modules."""

import ast
import functools
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


def tracked() -> list[str]:
    """Return the paths of the files that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git is how the files got here
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [name for name in listed.split("\0") if name]


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Return a module's syntax tree, parsed once for all who only read it."""
    return ast.parse(path.read_text())


def texts_of(path: Path) -> list[tuple[str, str]]:
    """Return a module's texts beside docstrings, with their lines; of an f-string, the parts between its values."""
    nodes = list(ast.walk(tree_of(path)))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node.value)
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]
