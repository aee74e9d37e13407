"""A fresh shell at the test's servers, with a browser that consents: what an operator has, and nothing more."""

import shlex
import subprocess
import sys
from pathlib import Path

from cli.scene import Ended
from testbed.ports import free_port
from testbed.programs import write_program

BIN = Path(sys.executable).parent

# Asks the command's server where to go, consents at the authorization server, and follows the redirect.
_BROWSER = """
import http.client, sys
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import ProxyHandler, build_opener

begin = urlsplit(sys.argv[1])
server = http.client.HTTPConnection(begin.netloc)
server.request("GET", begin.path)
url = server.getresponse().headers["Location"]
consent = dict(parse_qsl(urlsplit(url).query)) | {"scope": "read", "allow": "Authorize"}
build_opener(ProxyHandler({})).open(url, urlencode(consent).encode()).close()
"""


class Shell:
    """Runs command lines as they are printed, each in a new process."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        browser = write_program(folder / "browser", _BROWSER)
        self.folder = folder
        self.environment = environment | {
            "PATH": f"{BIN}:/usr/bin:/bin",
            "BROWSER": str(browser),
            "COLUMNS": "80",
            "REDIRECT_URI": f"http://127.0.0.1:{free_port()}/callback",
        }

    def run(self, line: str, *, stdin: str = "y\n") -> Ended:
        """Run one line in bash; questions are answered with yes."""
        ended = subprocess.run(  # noqa: S603 - our own commands
            ["/bin/bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)


def commands_in(ended: Ended) -> list[str]:
    """Return the commands of a message: each has a line for itself."""
    lines = [line.strip() for line in f"{ended.out}\n{ended.err}".splitlines()]
    return [line for line in lines if line.startswith("token-refresh ") and len(shlex.split(line)) > 2]
