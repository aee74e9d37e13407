"""Open the authorization page in a browser, without the page's URL on a command line and without our environment.

Every process of the machine can read a command line, and the URL holds the state and the PKCE challenge. So the browser
gets a local file that only its owner can read, and that file sends it on.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Final

# All that a browser needs to start; AWS credentials and client secrets are not among them.
_PASSED_ON: Final = {
    *("BROWSER", "DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION", "DISPLAY", "HOME", "LANG", "LOGNAME", "PATH", "SHELL"),
    *("TERM", "TMPDIR", "USER", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "WSL_INTEROP", "XAUTHORITY"),
}
_PASSED_ON_PREFIXES: Final = ("XDG_", "LC_")
_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}">
<title>Authorize</title>
<p><a href="{url}">Go on to the authorization page</a></p>
"""


@contextmanager
def opened(url: str, *, wanted: bool, environment: Mapping[str, str]) -> Iterator[None]:
    """Open a page in the default browser, and remove the local file at the end; with `wanted` false do nothing."""
    if not wanted:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="token-refresh-", ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "authorize.html"
        page.touch(mode=0o600)
        page.write_text(_PAGE.format(url=escape(url)), encoding="utf-8")
        with _start(page, environment) as process:
            try:
                yield
            finally:
                process.terminate()  # What starts the browser; the browser itself goes on.


def _start(page: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start the browser; if none starts, the operator opens the printed URL."""
    return subprocess.Popen(  # noqa: S603 - Python's own module, which finds the browser
        # -I: no module in the current folder stands in for webbrowser.
        [sys.executable, "-I", "-m", "webbrowser", page.as_uri()],
        env={k: v for k, v in environment.items() if k in _PASSED_ON or k.startswith(_PASSED_ON_PREFIXES)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal must not close a browser that this has started.
    )
