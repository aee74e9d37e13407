"""`token-refresh verify`: ask the provider whether the current access token works."""

import json
from typing import Annotated, Final
from urllib.parse import urlsplit

import httpx
import typer

from token_refresh.advice import Advice
from token_refresh_admin.cli.command import Json, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import CommandFailed
from token_refresh_admin.cli.finding import Finding, Health
from token_refresh_admin.cli.screen import in_json, print_json, say, when_from
from token_refresh_admin.cli.state import SecretState, read_state
from token_refresh_worker.adapters.time_limit import LimitedTransport, TimeLimit
from token_refresh_worker.adapters.token_endpoint import HEADERS, HTTP_ERRORS, NOT_SENT, read_body
from token_refresh_worker.core.steps import Rejected, TokenUsed
from token_refresh_worker.providers.endpoint import read_endpoint
from token_refresh_worker.run.settings import DEFAULT_PROVIDER, is_host_of_upwork

UPWORK_API: Final = "https://api.upwork.com/graphql"
_QUERY: Final = {"query": "query{user{id nid rid} organization{id}}"}
_TIMEOUT_SECONDS: Final = 20.0


@command("verify", "", "--json", "--url https://api.example.com/me", failed=Health.UNKNOWN)
def verify(
    context: Context,
    *,
    url: Annotated[
        str | None, typer.Option(help="A URL that only a valid access token can GET; default Upwork's GraphQL API.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Ask the provider whether the current access token works.

    Exit status: 0 it works, 2 it is rejected, 3 unknown; 64 for a wrong option.
    """
    if url is not None:
        read_endpoint("--url", url)
    state = read_state(context)
    target = url or _default_url(state)
    verdict = _judge(_ask(target, state, graphql=url is None), state, graphql=url is None)
    sentences = (verdict.text, *verdict.remedy)
    if as_json:
        print_json({"verdict": verdict.health.name.lower(), "text": in_json(sentences), "url": target})
    else:
        say(*sentences)
        expires_at, current = state.document.expires_at, state.snapshot.current
        expiry = f"expires {when_from(expires_at, state.snapshot.now)}" if expires_at else "expiry unknown"
        say(f"version {current.version_id}, {expiry}", style="dim")
    return verdict.health


def _default_url(state: SecretState) -> str:
    """Return Upwork's API; refuse to, if the tokens may be another provider's."""
    # Tokens of another host, such as a test server's, are not for Upwork, whatever PROVIDER says.
    is_upworks = is_host_of_upwork(state.host) and state.settings.provider.name == DEFAULT_PROVIDER
    if is_upworks and state.context.names_provider(state.document.fields):
        return UPWORK_API
    raise CommandFailed(
        "name a URL of the provider's API that only a valid access token can GET",
        fix=(state.context.again("--url", "URL"),),
    )


def _ask(url: str, state: SecretState, *, graphql: bool) -> tuple[int, bytes]:
    token = state.document.access_token
    if token is None:
        refresh = state.context.command("refresh")
        raise CommandFailed("the token set has no access token yet", fix=("get one: ", refresh))
    headers = {**HEADERS, "Authorization": f"Bearer {token.reveal()}"}
    query = {"method": "POST", "json": _QUERY} if graphql else {"method": "GET"}
    try:
        # No redirect is followed: one could send the token to another host.
        with LimitedTransport(TimeLimit(_TIMEOUT_SECONDS)) as transport:
            response = transport.handle_request(httpx.Request(url=url, headers=headers, **query))
            return response.status_code, read_body(response) or b""
    except (*NOT_SENT, *HTTP_ERRORS) as error:
        other = state.context.command("verify", "--url", "URL")
        raise CommandFailed.for_now(
            f"{urlsplit(url).netloc} can't be reached ({type(error).__name__})",
            fix=("check the network, or name another URL of the provider's API: ", other),
        ) from None


def _judge(response: tuple[int, bytes], state: SecretState, *, graphql: bool) -> Finding:
    """Judge by the status; a GraphQL API also sends errors with status 200."""
    (status, body), context = response, state.context
    if status == httpx.codes.UNAUTHORIZED:
        remedy: Advice = ("Refresh it: ", context.command("refresh", "--force"), "; if that fails: ")
        if isinstance(state.step, Rejected | TokenUsed):
            remedy = ("The refresh token is dead, too. Authorize again: ",)
        rejected = "The provider rejects the access token (HTTP 401). "
        return Finding.broken(rejected, *remedy, context.command("authorize"), ".")
    if not httpx.codes.is_success(status):
        return Finding.unknown(f"The provider responds with HTTP {status}, which says nothing about the token.")
    if not graphql:
        return Finding.healthy(f"The access token works (HTTP {status}).")
    return _judge_graphql(body, context)


def _judge_graphql(body: bytes, context: Context) -> Finding:
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not ("data" in fields or "errors" in fields):
        return Finding.unknown("The response is not a GraphQL response; is there a proxy between?")
    if fields.get("errors"):
        lacks = "The GraphQL API responds with errors: the token may lack a permission. Check the key's scopes, or "
        return Finding.broken(lacks, "authorize again: ", context.command("authorize"), ".")
    return Finding.healthy("The access token works: Upwork knows its user.")
