"""The web application of docs/grants.md, with a real browser and a real authorization server."""

import json
import runpy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from cli.authorizing import consent, stored
from cli.conftest import needs_browser
from cli.scene import Cli
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.grants import Grants

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_grants.py"
SECRET = "customers/7/quickbooks"
pytestmark = [needs_browser, pytest.mark.no_cover]


class Customer:
    """Sits at the browser, with the application in front and the provider behind it."""

    def __init__(self, browser: webdriver.Chrome, url: str, provider: AuthorizationServer) -> None:
        self.browser, self._url, self.provider = browser, url, provider
        browser.implicitly_wait(30)

    def begin(self) -> str:
        """Press the application's button, and return the address of the provider's page."""
        self.browser.get(self._url)
        self.browser.find_element(By.NAME, "connect").click()
        self.browser.find_element(By.NAME, "allow")  # waits for the provider's page
        return str(self.browser.current_url)

    def authorize(self, company: str) -> str:
        """Choose a company, consent, and return the heading of the application's page."""
        self.provider.choose(company)
        self.browser.find_element(By.NAME, "allow").click()
        WebDriverWait(self.browser, 30).until(lambda browser: browser.current_url.startswith(self._url))
        return self.heading

    @property
    def heading(self) -> str:
        return str(self.browser.find_element(By.TAG_NAME, "h1").text)

    def exchanges(self) -> int:
        """How many codes the provider was sent."""
        return [request.grant_type for request in self.provider.requests()].count("authorization_code")


@pytest.fixture
def provider() -> Iterator[AuthorizationServer]:
    """One of its own, whose redirects name a company; a used refresh token ends its grant."""
    with AuthorizationServer(grace_seconds=0) as server:
        yield server


@pytest.fixture
def customer(  # noqa: PLR0917 - fixtures
    store: SecretsManagerServer,
    provider: AuthorizationServer,
    environment: dict[str, str],
    browser: webdriver.Chrome,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Customer]:
    client = dict(zip(("clientId", "clientSecret"), provider.client(), strict=True))
    store.client().create_secret(Name="clients/quickbooks", SecretString=json.dumps(client))
    store.client().create_secret(Name=SECRET)
    environment |= {
        "CLIENT_SECRET_ID": "clients/{provider}",
        "TOKEN_ENDPOINT": provider.token_endpoint,
        "AUTHORIZATION_ENDPOINT": provider.authorization_endpoint,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    example = runpy.run_path(str(EXAMPLE))
    app = example["create_app"](Grants(f"http://127.0.0.1:{free_port}/callback", environment))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=free_port, log_config=None))
    serving = threading.Thread(target=server.run)
    serving.start()
    yield Customer(browser, f"http://127.0.0.1:{free_port}/", provider)
    server.should_exit = True
    serving.join()


def test_a_customer_connects_and_comes_back(customer: Customer, store: SecretsManagerServer, cli: Cli) -> None:
    """Consent, a run of the schedule during the next one, the wrong company, a lost session, two redirects at once."""

    def current() -> Any:
        return stored(store, SECRET)

    customer.begin()
    assert "Connected" == customer.authorize("1234")
    assert ("1234", "quickbooks") == (current()["realmId"], current()["provider"])

    customer.begin()
    assert 0 == cli("refresh", SECRET, "--force").code
    assert "Connected" == customer.authorize("1234")
    assert 0 == cli("refresh", SECRET, "--force").code
    assert customer.provider.accepts(current()["refreshToken"])

    before, exchanges = current(), customer.exchanges()
    customer.begin()
    assert "Another company" == customer.authorize("6666")

    customer.begin()
    customer.browser.delete_all_cookies()
    customer.browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    assert "Begin again" == customer.authorize("1234")
    assert (before, exchanges) == (current(), customer.exchanges())

    twice = consent(customer.begin())
    customer.browser.get(twice.split("/callback")[0])
    statuses = customer.browser.execute_async_script(
        "const [url, done] = arguments;"
        "Promise.all([fetch(url), fetch(url)]).then((both) => done(both.map((one) => one.status).sort()))",
        twice,
    )
    assert ([200, 400], exchanges + 1) == (statuses, customer.exchanges())
    assert customer.provider.accepts(current()["refreshToken"])
