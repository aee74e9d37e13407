"""The whole of an operator's life, with a real browser and a real authorization server, `authorize` in a terminal.

All output, on both streams and with --debug, is searched for every secret that there was.
"""

import json
import re
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from cli.conftest import needs_browser
from cli.scene import Cli
from cli.terminals import Terminal
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer

pytestmark = needs_browser


class Operator:
    """Runs commands, `authorize` in a terminal of its own, and keeps all output."""

    def __init__(self, terminal: Terminal, browser: webdriver.Chrome, cli: Cli) -> None:
        self._terminal = terminal
        self._browser = browser
        self._cli = cli
        self.output = ""

    def run(self, *arguments: str) -> tuple[int, str]:
        ended = self._cli(*arguments, "--debug")
        self.output += ended.out + ended.err
        return ended.code, ended.screen

    def authorize(self, *arguments: str) -> str:
        """Run `authorize`, consent in the browser, and give the page that it ends on."""
        screen = self._terminal("authorize", "--no-browser", "--yes", "--debug", *arguments)
        screen.expect(r"(http\S+)\s")
        self.output += f"{screen.before}{screen.after}"
        self._browser.get(screen.match[1])
        self._browser.find_element(By.NAME, "allow").click()
        WebDriverWait(self._browser, 30).until(lambda browser: "Authorized" in browser.title)
        assert 0 == screen.ends()
        self.output += screen.before
        return str(self._browser.find_element(By.TAG_NAME, "main").text)


def secrets_in(store: SecretsManagerServer, secret_id: str) -> set[str]:
    """Give every token and client secret in any version."""
    client = store.client()
    versions = client.list_secret_version_ids(SecretId=secret_id, IncludeDeprecated=True)["Versions"]
    found: set[str] = set()
    for version in versions:
        fields = json.loads(client.get_secret_value(SecretId=secret_id, VersionId=version["VersionId"])["SecretString"])
        found |= {str(value) for name, value in fields.items() if re.search("token|secret", name, re.IGNORECASE)}
    return found


def test_from_first_set_up_to_a_dead_grant_and_back(  # noqa: PLR0917 - fixtures
    store: SecretsManagerServer,
    provider: AuthorizationServer,
    environment: dict[str, str],
    browser: webdriver.Chrome,
    cli: Cli,
    terminal: Terminal,
    free_port: int,
    tmp_path: Path,
) -> None:
    """Authorize in the browser, refresh, see a revoked grant, read what to do, authorize again; no secret shows."""
    client_id, client_secret = provider.client()
    client_file = tmp_path / "client.json"
    client_file.write_text(json.dumps({"clientId": client_id, "clientSecret": client_secret}))
    client_file.chmod(0o600)
    environment |= {
        "TOKEN_ENDPOINT": provider.token_endpoint,
        "AUTHORIZATION_ENDPOINT": provider.authorization_endpoint,
        "TOKEN_SECRET_ID": "shop/prod/upwork",
    }
    operator = Operator(terminal, browser, cli)
    redirect = f"--redirect-uri=http://127.0.0.1:{free_port}/callback"

    page = operator.authorize(f"--client-file={client_file}", redirect)
    assert page.startswith("Authorized")
    assert "shop/prod/upwork" in page
    assert "token-refresh status shop/prod/upwork --region eu-central-1 shows the token set" in page
    assert (0, True) == ended(operator.run("status"), "HEALTHY")
    assert (0, True) == ended(operator.run("refresh", "--force"), "refreshed")

    provider.revoke()
    assert (2, True) == ended(operator.run("refresh", "--force"), "ReauthorizationRequired")
    assert (2, True) == ended(
        operator.run("status"), "authorize again: token-refresh authorize shop/prod/upwork --region eu-central-1"
    )
    assert (1, True) == ended(operator.run("doctor"), "FAILED tokens: the provider rejected the refresh token")

    assert operator.authorize(redirect).startswith("Authorized")
    assert (0, True) == ended(operator.run("status"), "HEALTHY")
    assert (0, True) == ended(operator.run("doctor"), "Nothing failed.")
    assert (0, True) == ended(operator.run("refresh", "--force"), "refreshed")
    assert (2, True) == ended(
        operator.run("restore", "--version=none", "--yes"), "List the versions: token-refresh history"
    )
    assert (0, True) == ended(operator.run("history", "--all"), "AWSPREVIOUS")
    assert (3, True) == ended(operator.run("verify", "--url=http://127.0.0.1:1"), "can't be reached")

    secrets = secrets_in(store, "shop/prod/upwork") | {client_secret}
    assert 8 < len(secrets)
    assert [] == [secret for secret in secrets if secret in operator.output]


def ended(command: tuple[int, str], printed: str) -> tuple[int, bool]:
    code, screen = command
    return code, printed in screen
