"""Programs in Python that a test writes, and that others start by their path."""

import shlex
import sys
from pathlib import Path


def write_program(path: Path, text: str, *options: str) -> Path:
    """Write a program for this interpreter, in a form that both shell and Python read.

    A line `#!` with the interpreter's path would not do: it takes no space, and no long path.
    """
    interpreter = shlex.join([sys.executable, *options])
    path.write_text(f"#!/bin/sh\n'''exec' {interpreter} \"$0\" \"$@\"\n'''\n{text}")
    path.chmod(0o700)
    return path
