"""`authorize` in a real terminal, with a real browser and a real authorization server."""

from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from cli.conftest import needs_browser
from cli.scene import Cli, secret_values
from cli.terminals import Terminal
from testbed.secrets_manager.server import SecretsManagerServer

GROUP = "unmeasured"

SECRET = "shop/prod/upwork"
pytestmark = needs_browser


def test_a_first_grant_and_another(  # noqa: PLR0917 - fixtures
    store: SecretsManagerServer,
    browser: webdriver.Chrome,
    cli: Cli,
    terminal: Terminal,
    client_file: Path,
    free_port: int,
) -> None:
    """Who consents in the browser sees what was stored and how to look at it; no secret is in the terminal."""
    redirect = f"--redirect-uri=http://127.0.0.1:{free_port}/callback"
    output = ""
    for options in ([f"--client-file={client_file}"], []):
        screen = terminal("authorize", SECRET, "--no-browser", "--yes", "--debug", redirect, *options)
        screen.expect(r"(http\S+)\s")
        output += f"{screen.before}{screen.after}"
        browser.get(screen.match[1])
        browser.find_element(By.NAME, "allow").click()
        WebDriverWait(browser, 30).until(lambda browser: "Authorized" in browser.title)
        page = str(browser.find_element(By.TAG_NAME, "main").text)
        assert 0 == screen.ends()
        output += screen.before

        assert page.startswith("Authorized")
        assert f"token-refresh status {SECRET} --region eu-central-1 shows the token set" in page
        assert 0 == cli("status", SECRET, "--debug").code

    secrets = secret_values(store)
    assert 4 < len(secrets)
    assert not any(value in output for value in secrets)
