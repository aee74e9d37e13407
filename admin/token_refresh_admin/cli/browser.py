"""What the browser shows: the authorization page, which it opens, and the page on which it ends.

Every process of the machine can read a command line, and the page's URL holds the state and the PKCE challenge. So the
browser gets an address of the loopback server, which sends on one visitor of the same user. A second one ends the
authorization: where the system doesn't tell the user, the first may have been somebody else. A file would not do: a
browser of snap or flatpak has a temporary folder of its own. It gets none of our environment.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Final

from token_refresh.advice import Command

# All that a browser needs to start; AWS credentials and client secrets are not among them.
_PASSED_ON: Final = {
    *("BROWSER", "DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION", "DISPLAY", "HOME", "LANG", "LOGNAME", "PATH", "SHELL"),
    *("TERM", "TMPDIR", "USER", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "WSL_INTEROP", "XAUTHORITY"),
}
_PASSED_ON_PREFIXES: Final = ("XDG_", "LC_")


@contextmanager
def opened(url: str, *, wanted: bool, environment: Mapping[str, str]) -> Iterator[None]:
    """Open a page in the default browser; if none starts, or is wanted, the operator opens the printed URL."""
    if not wanted:
        yield
        return
    with subprocess.Popen(  # noqa: S603 - Python's own module, which finds the browser
        # -I: no module in the current folder stands in for webbrowser.
        [sys.executable, "-I", "-m", "webbrowser", url],
        env={k: v for k, v in environment.items() if k in _PASSED_ON or k.startswith(_PASSED_ON_PREFIXES)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal must not close a browser that this has started.
    ) as process:
        try:
            yield
        finally:
            process.terminate()  # What starts the browser; the browser itself goes on.


PAGE_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # The address of this page holds the authorization code.
    "X-Content-Type-Options": "nosniff",
}

_ENDING_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html {{ font: 1.125rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; color-scheme: light dark; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""

FAILED: Final = _ENDING_PAGE.format(
    title="Not authorized",
    text="No tokens were stored. You can close this window; the terminal says why, and what to do.",
)
FOREIGN: Final = _ENDING_PAGE.format(
    title="Not the expected redirect",
    text="This page waits for the redirect of one authorization, and this was not it. Go on in the window that "
    "<code>token-refresh authorize</code> opened, or run it again.",
)
STRANGER: Final = _ENDING_PAGE.format(
    title="Another user's page",
    text="This page is for the user who runs <code>token-refresh authorize</code>. If that is you, and your browser "
    "runs as another user, run it again with <code>--paste</code>.",
)


def authorized(secret_id: str, status: Command) -> str:
    """Say that the tokens are stored, and what to do next."""
    return _ENDING_PAGE.format(
        title="Authorized",
        text=f"The tokens are stored in the secret <code>{escape(secret_id)}</code>. You can close this window and go "
        f"back to the terminal; <code>{escape(str(status))}</code> shows the token set.",
    )
