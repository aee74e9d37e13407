"""What the tests of the demos share: a demo as a process, and a handler of the test's own."""

import os
import subprocess
import textwrap
import uuid
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "scripts" / "demo"
NO_AWS = {"AWS_PROFILE": "no-such-profile", "HTTP_PROXY": "http://127.0.0.1:9"}
"""Settings of a machine that must not count."""


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own script
        [DEMO, *arguments],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def handler_of(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"handler_{uuid.uuid4().hex}"
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    return f"{name}.handler"
