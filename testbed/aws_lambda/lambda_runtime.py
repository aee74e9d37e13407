"""Lambda's managed runtime as far as a function can tell: an interpreter, the runtime client, boto3, nothing else.

    runtime = LambdaRuntime.install(folder)
    with Function(environment | runtime.environment, task_root=unpacked_zip, python=runtime.python) as function:
        ...

Versions are those of the lock; Lambda's own boto3 may be another.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed.surroundings import for_installing

_ROOT = Path(__file__).resolve().parents[2]
_UV = Path(sys.executable).with_name("uv")


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaRuntime:
    """One such runtime."""

    python: tuple[str, ...]
    """The interpreter, without any package of its own: of Python 3.13, as deployed, where this machine has one."""
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that lead the interpreter to the runtime's packages, and to no others."""
        return {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}

    @classmethod
    def install(cls, folder: Path) -> "LambdaRuntime":
        """Install the runtime's packages into an empty folder, compiled as Lambda has them."""
        python = _deployed_python()
        subprocess.run(
            [
                *(_UV, "pip", "install", "--quiet", "--compile-bytecode", "--no-build"),
                *("--target", folder, "--python", python),
                *("--constraint", _ROOT / "locks" / "all.txt", "awslambdaric", "boto3"),
            ],
            check=True,
            env=for_installing(),
        )
        return cls(python=(python, "-S"), folder=folder)


def _deployed_python() -> str:
    found = subprocess.run(
        [_UV, "python", "find", "--no-project", "--no-python-downloads", "3.13"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or sys.executable
