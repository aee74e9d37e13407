"""A web application whose customers connect their QuickBooks company: the callback is the application's own.

    uvicorn --app-dir examples --no-access-log --factory fastapi_grants:create_app

Needs `pip install PATH/TO/token-refresh-worker/reader PATH/TO/token-refresh-worker PATH/TO/token-refresh-worker/admin
fastapi uvicorn`, and AWS credentials with the policy of docs/grants.md. CALLBACK is the redirect URI as it is
registered at the provider. An access log would keep the callback's address, and with it each code. Limit both addresses
in front of it, as that page says.
"""

import logging
import os
import secrets
from collections.abc import Mapping
from html import escape
from typing import Annotated, Any

from fastapi import Cookie, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from token_refresh_admin.grants import (
    Account,
    AnotherAccount,
    ConsentRefused,
    ForeignRedirect,
    Grants,
    RedirectTaken,
    TokenRefreshError,
    TooManyRedirects,
)

logger = logging.getLogger("uvicorn.error")

PAGE = """<!doctype html><html lang="en"><title>{title}</title><h1>{title}</h1><p>{text}</p>
<form method="post" action="/connect"><button name="connect">Connect QuickBooks</button></form>"""
HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}  # The callback's address has the code.


class Customers:
    """Your database and your sessions. With more than one process, both are somewhere all of them reach."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self._begun: dict[str, Mapping[str, Any]] = {}

    def signed_in(self, request: Request) -> str:
        """Return who is signed in; yours asks its own login. Never take it from the URL or the form."""
        del request
        return "7"

    def keep(self, state: str, session: Mapping[str, Any]) -> None:
        """Keep an authorization that was begun; yours forgets it after two hours."""
        self._begun[state] = session

    def take(self, state: str | None) -> Mapping[str, Any] | None:
        """Take it out: there is one redirect for each."""
        return self._begun.pop(state or "", None)

    def is_free(self, customer: str, account: Account) -> bool:
        """Say whether an account that comes for the first time belongs to nobody else."""
        return all(known != account for other, known in self.accounts.items() if other != customer)


def create_app(grants: Grants | None = None, customers: Customers | None = None) -> FastAPI:
    """Make the application; FastAPI runs these functions in threads, so none blocks another."""
    grants = grants or Grants(os.environ["CALLBACK"])
    customers = customers or Customers()
    app = FastAPI()

    @app.get("/")
    def home() -> HTMLResponse:
        return page("Your account", "No company is connected.")

    @app.post("/connect")
    def connect(request: Request, browser: Annotated[str | None, Cookie()] = None) -> Response:
        customer = customers.signed_in(request)
        browser = browser or secrets.token_urlsafe(24)
        begun = grants.begin(
            f"customers/{customer}/quickbooks",
            provider="quickbooks",
            browser=browser,
            customer=customer,
            expect=customers.accounts.get(customer),
        )
        customers.keep(begun.state, begun.session)
        response = RedirectResponse(begun.url, status_code=303)
        # Behind a proxy the request itself may have come over http.
        secure = grants.redirect_uri.startswith("https:")
        # Lax: the provider's redirect brings it back, and no other site's form does.
        response.set_cookie("browser", browser, httponly=True, secure=secure, samesite="lax", max_age=7200)
        return response

    @app.get("/callback")
    def callback(
        request: Request, state: str | None = None, browser: Annotated[str | None, Cookie()] = None
    ) -> HTMLResponse:
        customer = customers.signed_in(request)
        # Without the cookie a customer could send the link to a stranger, whose company would then be the customer's.
        # Without the customer, whoever signs in next in this browser would finish what the one before began.
        stored = grants.finish(
            customers.take(state),
            str(request.url),
            browser=browser,
            customer=customer,
            confirm=lambda account: customers.is_free(customer, account),
        )
        customers.accounts[customer] = stored.account
        return page("Connected", f"Your company {stored.account['realmId']} is connected.")

    app.add_exception_handler(TokenRefreshError, explain)
    return app


def page(title: str, text: str, status: int = 200) -> HTMLResponse:
    """Show a page."""
    return HTMLResponse(PAGE.format(title=title, text=escape(text)), status, HEADERS)


def explain(_request: Request, error: Exception) -> HTMLResponse:
    """Say what the customer can do; what an operator has to know is in the log, with the command."""
    match error:
        case ConsentRefused():
            return page("Not connected", "You did not authorize. Nothing has changed.")
        case AnotherAccount():
            return page("Another company", "You chose another company than the connected one. Nothing is stored.", 409)
        case ForeignRedirect() | RedirectTaken():
            return page(
                "Begin again", "This page has expired or was loaded twice. If nothing is connected, begin again.", 400
            )
        case TooManyRedirects():
            return page("Begin again tomorrow", "Too many attempts today. Nothing has changed.", 429)
    logger.error("no grant: %s: %s", type(error).__name__, error)
    return page("Not connected", "Something is wrong on our side. We have been told.", 503)
