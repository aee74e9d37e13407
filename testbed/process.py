"""Servers in processes of their own: started with one line of JSON, ended with the one that started them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self


class Child:
    """`python -m MODULE ARGUMENT...` for as long as the `with` block lasts."""

    def __init__(self, module: str, *arguments: str, python: Path | None = None) -> None:
        """Describe the process; an interpreter of another environment finds its own packages and this folder."""
        self._command = [str(python or sys.executable), "-m", module, *arguments]
        self._path = [str(Path(__file__).parents[1])] if python else sys.path
        self.announced: dict[str, Any] = {}
        """What the process said about itself once it was ready."""

    def start(self) -> Self:
        """Start the process without waiting; what it prints on standard error is seen."""
        path = os.pathsep.join(filter(None, self._path))  # a module is found there as it is here
        # A server of the testbed runs none of the product's code: coverage would find nothing, in twice the time.
        unmeasured = self._command[2].startswith("testbed.")
        kept = {name: value for name, value in os.environ.items() if not (unmeasured and name.startswith("COVERAGE_"))}
        self._process = subprocess.Popen(
            self._command,
            env=kept | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the process that started it, which then closes this one
        )
        return self

    def wait_until_ready(self) -> Self:
        """Wait for the line in which the process announces its addresses.

        Raises:
            RuntimeError: It ended without one.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._command[2]} did not start: exit status {self._process.wait()}")
        self.announced = json.loads(line)
        return self

    def close(self) -> None:
        """End the process and wait until it is gone."""
        self._process.kill()  # its state is in memory or a folder that it can't need again
        self._process.communicate()

    def __enter__(self) -> Self:
        self.start()
        try:
            return self.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exception: object) -> None:
        self.close()


def announce(**announcement: Any) -> None:
    """In the started process: say that it is ready, and where.

    It lives until its standard input ends, which happens even where the process that started it was killed.
    """
    print(json.dumps(announcement), flush=True)
    sys.stdin.read()
