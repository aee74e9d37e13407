"""The page on which the browser ends: plain HTML, without scripts and without anything loaded from another host."""

from html import escape
from typing import Final

from token_refresh.advice import Command

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # The address of this page holds the authorization code.
    "X-Content-Type-Options": "nosniff",
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.125rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1.5rem;
  color: #1c1c1e; background: #fff; }}
h1 {{ font-size: 1.5rem; }}
code {{ background: #eef0f2; padding: .1em .3em; border-radius: .2em; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ececee; background: #1c1c1e; }} code {{ background: #333; }} }}
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

FAILED: Final = _PAGE.format(
    title="Not authorized",
    text="No tokens were stored. You can close this window; the terminal says why, and what to do.",
)
FOREIGN: Final = _PAGE.format(
    title="Not the expected redirect",
    text="This page waits for the redirect of one authorization, and this was not it. Go on in the window that "
    "<code>token-refresh authorize</code> opened, or run it again.",
)


def authorized(secret_id: str, status: Command) -> str:
    """Say that the tokens are stored, and what to do next."""
    return _PAGE.format(
        title="Authorized",
        text=f"The tokens are stored in the secret <code>{escape(secret_id)}</code>. You can close this window and go "
        f"back to the terminal; <code>{escape(str(status))}</code> shows the token set.",
    )
