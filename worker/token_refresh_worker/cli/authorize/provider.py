"""The provider of an authorization: its page, what it wants there, and the keys that go into the token document."""

from collections.abc import Mapping, Sequence
from typing import Final

import typer

from token_refresh.advice import Command
from token_refresh_worker.changes.authorization import AuthorizationRequest
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.failures import CommandFailed
from token_refresh_worker.cli.secret.storing import is_snake
from token_refresh_worker.cli.settings import PROVIDER_KEY
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.providers.endpoint import read_endpoint
from token_refresh_worker.providers.provider import AuthorizationPage, Provider
from token_refresh_worker.providers.variables import fill, places

_VARIABLES: Final = {False: "providerVariables", True: "provider_variables"}
"""The key of the provider's variables, by whether the document is in snake case."""


def with_provider_keys(context: Context, fields: Mapping[str, object], variables: Sequence[str]) -> dict[str, object]:
    """Add the provider that was named, and its variables, to the keys of the token document.

    Raises:
        BadParameter: A variable is not KEY=VALUE.
    """
    added: dict[str, object] = {}
    if name := context.environment.get("PROVIDER"):
        added[PROVIDER_KEY] = name
    pairs = [text.partition("=") for text in variables]
    if not all(key and value for key, _, value in pairs):
        raise typer.BadParameter("--variable must be KEY=VALUE")
    if pairs:
        key = _VARIABLES[is_snake(fields)]
        known = fields.get(key)
        added[key] = {**(known if isinstance(known, dict) else {}), **{name: value for name, _, value in pairs}}
    return {**fields, **added}


def build_authorization(  # noqa: PLR0913 - all by name
    template: Provider,
    fields: Mapping[str, object],
    *,
    client_id: str,
    redirect_uri: str,
    endpoint: str | None,
    scope: str | None,
    pkce: bool | None,
    token_host: str,
) -> AuthorizationRequest:
    """Build the request for authorization as the profile says, with the document's values in its variables.

    Options have precedence: the page's `endpoint`, and whether to send a challenge (`pkce`). What `scope` asks for is
    added to what the profile needs for a refresh token. `token_host` exchanges the code.

    Raises:
        CommandFailed: There is no authorization page, or the provider has no code grant.
        ConfigurationError: The page's address is wrong, or a variable is missing.
    """
    if template.request.grant is not Grant.REFRESH_TOKEN:
        put = Command.of("aws secretsmanager put-secret-value --secret-id NAME --secret-string file://tokens.json")
        raise CommandFailed(
            f"{template.title} has no refresh tokens, so there is nothing to authorize",
            fix=("store the token document with ", put),
        )
    page = template.authorization or AuthorizationPage(endpoint="")
    if not (endpoint or page.endpoint):
        raise CommandFailed(
            f"the profile {template.name} has no authorization page", fix="name it with --authorization-endpoint URL"
        )
    asked = scope.split(page.scope_separator) if scope else []
    scopes = [*asked, *(name for name in page.scopes if name not in asked)]
    return AuthorizationRequest(
        endpoint=read_endpoint("AUTHORIZATION_ENDPOINT", endpoint or _filled(page.endpoint, template, fields)),
        client_id=client_id,
        redirect_uri=redirect_uri,
        scope=page.scope_separator.join(scopes) or None,
        pkce=page.pkce if pkce is None else pkce,
        params=page.params,
        # The profile's issuer is that of its own page.
        issuer=_filled(page.issuer, template, fields) if page.issuer and not endpoint else None,
        token_host=token_host,
    )


def _filled(endpoint: str, template: Provider, fields: Mapping[str, object]) -> str:
    values = next((fields[key] for key in _VARIABLES.values() if isinstance(fields.get(key), dict)), {})
    if places(endpoint) and not template.variables:
        raise CommandFailed("name the authorization page of that token endpoint with --authorization-endpoint URL")
    return fill(endpoint, template.variables, values, provider=template.name)  # type: ignore[arg-type]  # a dict
