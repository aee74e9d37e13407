"""`token-refresh verify`: ask the provider whether the current access token works."""

import json
from dataclasses import dataclass
from typing import Annotated, Final

import httpx
import typer
from rich.text import Text

from token_refresh import __version__
from token_refresh.cli.failures import CommandFailed
from token_refresh.cli.health import Health
from token_refresh.cli.options import command
from token_refresh.cli.screen import output, print_json, when_from
from token_refresh.cli.state import State, read_state
from token_refresh.oauth.response import BODY_LIMIT_BYTES
from token_refresh.providers.endpoint import read_endpoint

UPWORK_API: Final = "https://api.upwork.com/graphql"
_QUERY: Final = {"query": "query{user{id nid rid} organization{id}}"}
_TIMEOUT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the provider's answer says about the access token."""

    health: Health
    text: str


@command(
    "token-refresh verify",
    "token-refresh verify --json",
    "token-refresh verify --url https://api.example.com/me",
    failed=Health.UNKNOWN,
)
def verify(
    *,
    url: Annotated[
        str | None,
        typer.Option(
            help="A page that only a valid access token opens, asked with GET; without it, Upwork's GraphQL interface.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as one JSON object.")] = False,
) -> int:
    """Ask the provider whether the current access token works.

    Exit status: 0 it works, 2 it is refused, 3 could not tell; 64 for a wrong option.
    """
    target = read_endpoint("--url", url or UPWORK_API)
    state = read_state()
    verdict = _judge(_ask(target, state, graphql=url is None), graphql=url is None)
    if as_json:
        print_json({"verdict": verdict.health.name.lower(), "text": verdict.text, "url": target})
    else:
        output().print(Text(verdict.text, style="green" if verdict.health is Health.HEALTHY else "red"))
        output().print(Text(f"version {state.snapshot.current.version_id}, {_expiry(state)}", style="dim"))
    return verdict.health


def _expiry(state: State) -> str:
    expires_at = state.document.expires_at
    return "expiry not known" if expires_at is None else f"expires {when_from(expires_at, state.snapshot.now)}"


def _ask(url: str, state: State, *, graphql: bool) -> tuple[int, bytes]:
    """Send one request with the access token, and read its answer up to a limit."""
    token = state.document.access_token
    if token is None:
        raise CommandFailed("the token set has no access token yet; get one with token-refresh refresh")
    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {token.reveal()}",
        "User-Agent": f"token-refresh-worker/{__version__}",
    }
    try:
        with (
            httpx.Client(headers=headers, timeout=_TIMEOUT_SECONDS, follow_redirects=False) as client,
            client.stream("POST", url, json=_QUERY) if graphql else client.stream("GET", url) as response,
        ):
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > BODY_LIMIT_BYTES:
                    break
            return response.status_code, bytes(body[:BODY_LIMIT_BYTES])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandFailed(
            f"the provider could not be asked ({type(error).__name__}); check the network, and --url"
        ) from None


def _judge(answer: tuple[int, bytes], *, graphql: bool) -> Verdict:
    """Judge by the status, and at GraphQL by whether there are errors, which come with status 200."""
    status, body = answer
    if status == httpx.codes.UNAUTHORIZED:
        return Verdict(
            health=Health.BROKEN,
            text="The access token is refused (HTTP 401): refresh it with token-refresh refresh --force; where that "
            "fails, token-refresh authorize.",
        )
    if not httpx.codes.is_success(status):
        return Verdict(
            health=Health.UNKNOWN, text=f"The provider answered HTTP {status}, which says nothing of the token."
        )
    if not graphql:
        return Verdict(health=Health.HEALTHY, text=f"The access token works (HTTP {status}).")
    return _judge_graphql(body)


def _judge_graphql(body: bytes) -> Verdict:
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not ("data" in fields or "errors" in fields):
        return Verdict(health=Health.UNKNOWN, text="The provider's answer is no GraphQL answer; is a proxy between?")
    if fields.get("errors"):
        return Verdict(
            health=Health.BROKEN,
            text="The provider's GraphQL interface answers with errors: the token may lack a permission; look at the "
            "key's scopes, or authorize again with token-refresh authorize.",
        )
    return Verdict(health=Health.HEALTHY, text="The access token works: Upwork knows its user.")
