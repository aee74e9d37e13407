"""`token-refresh authorize`: get the first token set, or one after the grant has died."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from token_refresh.bootstrap import find_credentials
from token_refresh.cli.authorization import UPWORK_AUTHORIZATION_ENDPOINT, Authorization, ForeignRedirect
from token_refresh.cli.aws import region_name
from token_refresh.cli.client import ask_client, ask_secret, read_client_file
from token_refresh.cli.exchange import Exchange
from token_refresh.cli.failures import CommandFailed
from token_refresh.cli.options import command
from token_refresh.cli.redirect import RedirectServer, can_listen
from token_refresh.cli.screen import errors, when
from token_refresh.cli.state import open_run, open_store
from token_refresh.cli.storing import base_document, document_of, fields_of
from token_refresh.config import Settings, read_endpoint
from token_refresh.core.versions import CURRENT
from token_refresh.errors import ConfigurationError, SecretNotFound
from token_refresh.ports import SecretStore, SecretVersion
from token_refresh.stored.credentials import ClientCredentials
from token_refresh.stored.document import TokenDocument

DEFAULT_REDIRECT_URI = "http://127.0.0.1:8765/callback"


@command(
    "token-refresh authorize",
    "token-refresh authorize my-app/prod/upwork --redirect-uri http://localhost:9000/callback",
    "token-refresh authorize --paste --redirect-uri https://example.com/oauth",
    "token-refresh authorize --client-file client.json --yes",
)
def authorize(  # noqa: PLR0913 - options, each by its name
    *,
    redirect_uri: Annotated[
        str, typer.Option(help="Exactly the one that the client (Upwork: the API key) was registered with.")
    ] = DEFAULT_REDIRECT_URI,
    client_id: Annotated[
        str | None, typer.Option(help="Client ID; its secret is asked for.", show_default=False)
    ] = None,
    client_file: Annotated[
        Path | None,
        typer.Option(help="JSON file with clientId and clientSecret, readable by you alone.", show_default=False),
    ] = None,
    paste: Annotated[
        bool, typer.Option("--paste", help="Paste the URL that the browser ends on, as where no browser runs here.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the authorization page in a browser.")] = True,
    scope: Annotated[str | None, typer.Option(help="Scopes to ask for; Upwork has none.", show_default=False)] = None,
    pkce: Annotated[bool, typer.Option(help="Send a PKCE challenge (RFC 7636).")] = True,
    authorization_endpoint: Annotated[
        str,
        typer.Option(
            envvar="AUTHORIZATION_ENDPOINT", help="The provider's authorization page.", show_default="Upwork's"
        ),
    ] = UPWORK_AUTHORIZATION_ENDPOINT,
    timeout: Annotated[int, typer.Option(min=1, max=3600, help="Seconds to wait for the redirect.")] = 300,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Tag of a new secret.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Replace a token set without asking.")] = False,
) -> int:
    """Get a token set in the browser, and store it: the first one, or one after the grant has died.

    The client credentials are those that the function uses (CLIENT_SECRET_ID, beside the tokens, or the environment);
    where there are none yet they are asked for, and stored beside the tokens.
    """
    tags = _read_tags(tag or ())
    settings, run = open_run()
    store = run.parts.store
    creates, version = _find(settings, store)
    fields = fields_of(version)
    given = None if client_file is None else read_client_file(client_file)
    client, keeps_client = _find_client(settings, fields, given, client_id)
    _confirm(settings, version, document_of(fields), creates=creates, yes=yes)
    authorization = Authorization(
        endpoint=read_endpoint("AUTHORIZATION_ENDPOINT", authorization_endpoint),
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        scope=scope,
        pkce=pkce,
    )
    exchange = Exchange(
        settings=settings,
        store=store,
        client=client,
        keeps_client=keeps_client,
        creates=creates,
        fields=fields,
        tags=tags,
    )
    if paste or not can_listen(redirect_uri):
        _paste(authorization, exchange)
    else:
        _listen(authorization, exchange, browser=browser, timeout_seconds=timeout)
    return 0


def _read_tags(given: Sequence[str]) -> list[tuple[str, str]]:
    tags = [text.partition("=") for text in given]
    if not all(key and equals for key, equals, _ in tags):
        raise typer.BadParameter("--tag must be KEY=VALUE")
    return [(key, value) for key, _, value in tags]


def _find(settings: Settings, store: SecretStore) -> tuple[bool, SecretVersion | None]:
    """Find out whether the secret has to be created, and what it holds; one that awaits deletion is not replaced."""
    try:
        return False, store.read(label=CURRENT)
    except SecretNotFound as missing:
        if settings.token_secret_id.startswith("arn:") or "marked for deletion" in str(missing):
            raise
        return True, None


def _find_client(
    settings: Settings, fields: dict[str, object], given: ClientCredentials | None, client_id: str | None
) -> tuple[ClientCredentials, bool]:
    """Give the client credentials, and whether they are to be stored beside the tokens."""
    try:
        known = find_credentials(base_document(fields, None), settings=settings, secret=open_store)
    except ConfigurationError:
        known = None  # They are in none of the three places.
    asked_for = client_id or (given.client_id if given else None)
    if known is not None and given is None and asked_for in {None, known.client_id}:
        return known, False
    if settings.client_secret_id is not None:
        raise CommandFailed(
            f"the function reads the client credentials from secret {settings.client_secret_id} (CLIENT_SECRET_ID); "
            "change them there, then authorize without --client-id and --client-file"
        )
    return given or ask_client(settings, client_id), True


def _confirm(
    settings: Settings, version: SecretVersion | None, document: TokenDocument | None, *, creates: bool, yes: bool
) -> None:
    """Say what will be written, and ask before a token set is replaced."""
    where = f"secret {settings.token_secret_id} in {region_name()}"
    if creates:
        errors().print(Text(f"{where} is not there yet and will be created."))
    if version is None or yes:
        return
    if document is None:
        what = "a value that is no token document"
    elif document.expires_at is None:
        what = "a token set"
    else:
        what = f"a token set that expires at {when(document.expires_at)}"
    typer.confirm(f"{where} holds {what}, stored at {when(version.created_at)}. Replace it?", abort=True, err=True)


def _listen(authorization: Authorization, exchange: Exchange, *, browser: bool, timeout_seconds: int) -> None:
    with RedirectServer(authorization, lambda code: exchange.complete(authorization, code)) as server:
        _show_url(authorization, "Authorize in the browser. Where none opens, open this page on this machine:")
        if browser:
            webbrowser.open(authorization.url)
        server.wait(timeout_seconds)


def _paste(authorization: Authorization, exchange: Exchange) -> None:
    _show_url(authorization, "Open this page in a browser on any machine and authorize:")
    errors().print("The browser then ends on a page that may not load. Copy its whole address and paste it here.")
    pasted = ask_secret("Address")
    try:
        code = authorization.read_redirect(pasted.reveal())
    except ForeignRedirect:
        raise CommandFailed(
            "that address is not the answer to this authorization (its state or code is missing or another one's); "
            "copy the whole address after authorizing on the page above, and run it again"
        ) from None
    exchange.complete(authorization, code)


def _show_url(authorization: Authorization, text: str) -> None:
    errors().print(text)
    errors().print(Text(authorization.url), soft_wrap=True)  # In one line, so that it can be copied.
