"""The page on which a browser ends after `token-refresh authorize`: a real browser, consenting at a real server."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from demos.account import TOKEN_SECRET_ID, Account
from pages.terminal import ROOT
from testbed.browser import chromium
from testbed.ports import free_port

_FLAGS = ("--hide-scrollbars", "--window-size=900,480")


def page() -> bytes:
    """Authorize, and return what the browser shows at the end, as PNG."""
    with Account() as account, tempfile.TemporaryDirectory() as folder, chromium(Path(folder), *_FLAGS) as browser:
        client_id, client_secret = account.provider.client()
        client = Path(folder, "client.json")
        client.write_text(json.dumps({"clientId": client_id, "clientSecret": client_secret}))
        client.chmod(0o600)
        environment = {name: value for name, value in account.environment.items() if name != "CLIENT_SECRET_ID"}
        endpoint = {"AUTHORIZATION_ENDPOINT": account.provider.authorization_endpoint}
        redirect = f"--redirect-uri=http://127.0.0.1:{free_port()}/callback"
        program = str(ROOT / ".venv" / "bin" / "token-refresh")
        command = [program, "authorize", TOKEN_SECRET_ID, "--no-browser", "--yes"]
        with subprocess.Popen(  # noqa: S603 - our own command
            [*command, f"--client-file={client}", redirect],
            env=os.environ | environment | endpoint,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as authorizing:
            lines = iter(authorizing.stderr.readline, "") if authorizing.stderr else iter(())
            browser.get(next(line.strip() for line in lines if line.startswith("http")))
            browser.find_element(By.NAME, "allow").click()
            WebDriverWait(browser, 30).until(lambda shown: "Authorized" in shown.title)
            authorizing.communicate(timeout=30)
        return bytes(browser.get_screenshot_as_png())
