"""`token-refresh client`: replace the client credentials, and keep the grant."""

import sys
from contextlib import suppress
from typing import Annotated

import typer

from token_refresh.errors import ConfigurationError, InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.change import fields_of
from token_refresh_admin.changes.client import replace_client
from token_refresh_admin.cli.client_probe import try_client
from token_refresh_admin.cli.command import ClientFile, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import CommandFailed, finishing
from token_refresh_admin.cli.finding import Health
from token_refresh_admin.cli.prompts import ask_client, ask_client_id, confirm, read_client_file, refuse_white_space
from token_refresh_admin.cli.screen import say, say_done
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.oauth.client_auth import authenticate
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.failures import no_value
from token_refresh_worker.run.ports import SecretVersion
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument, read_document


@command("client", "", "upwork-oauth-tokens --client-file client.json", writes=True)
def client(
    context: Context,
    *,
    client_file: ClientFile = None,
    client_id: Annotated[
        str | None, typer.Option(help="The client that the tokens belong to, where another one is stored by mistake.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask only for the credentials.")] = False,
) -> int:
    """Replace the client credentials: the tokens stay, and nobody has to consent again.

    They are stored in the secret that CLIENT_SECRET_ID names, else beside the tokens, and tried as doctor tries them;
    if the token endpoint rejects them, the command fails, and they stay stored. A new client ID must be named or
    confirmed, because a provider rejects the tokens of another client.
    """
    refuse_white_space(client_id)
    shown = context.store().read(label=CURRENT)
    fields = fields_of(shown)
    settings = context.settings_for(fields)
    where, parts = settings.client_secret_id, context.run(settings).parts
    document = _document(context, shown, settings.provider)
    client_secret = context.store(where, setting="CLIENT_SECRET_ID") if where else None
    shown = client_secret.read(label=CURRENT) if client_secret else shown
    known, is_nowhere = None, False
    try:
        known = parts.credentials(document).client_id
    except ConfigurationError:
        is_nowhere = True
    except InvalidSecretDocument:
        pass  # They are there, and a run can't use them.
    if client_file:
        given = read_client_file(client_file)
    elif known and not client_id and sys.stdin.isatty():  # A person may correct it; a pipe brings the secret alone.
        given = ask_client(settings, ask_client_id(settings, known))
    else:
        given = ask_client(settings, client_id or known)
    authenticate(given, settings.provider.request.auth_method)
    _check_client_id(context, known, given.client_id, client_id, yes=yes)
    if is_nowhere and context.source.function is None and not yes:
        confirm("Nothing says where the function reads its client credentials. Store them beside the tokens?")
    parts = context.run(settings).parts  # Anew: the questions may have taken all of its time.
    with finishing("The credentials are stored first."):
        client_secret = context.store(where, setting="CLIENT_SECRET_ID") if where else None
        version_id = replace_client(parts, client_secret, given, shown=shown, field=settings.client_secret_field)
    say_done(
        "Stored: the next refresh uses these client credentials.",
        *(("secret", where or context.secret_id), ("region", context.region), ("version", version_id)),
    )
    if context.names_provider(fields):
        _try(context, settings, given)
    say("Refresh with them: ", context.command("refresh", "--force"))
    return 0


def _try(context: Context, settings: Settings, given: ClientCredentials) -> None:
    """Say what the token endpoint makes of the new credentials; fail if no refresh can succeed with them.

    They stay stored: a provider may know new ones only after a while.
    """
    found = try_client(context, settings, given)
    if found.health is Health.BROKEN:
        later = ". If they are right, a provider may know them only after a while; then: "
        again = context.command("refresh", "--force")
        fix = (*found.remedy, later, again)
        raise CommandFailed(f"the token endpoint: {found.text}", why="the new ones are stored", fix=fix)
    say(f"The token endpoint: {found.text}. ", *found.remedy)


def _document(context: Context, version: SecretVersion | None, provider: Provider) -> TokenDocument:
    if version is None:
        raise no_value(context.secret)
    with suppress(InvalidSecretDocument):
        return read_document(version.value or SecretValue(""), needs_refresh_token=provider.needs_refresh_token)
    raise InvalidSecretDocument(
        f"{context.secret} holds no token document", fix=("Bring the last good one back: ", context.command("restore"))
    )


def _check_client_id(context: Context, known: str | None, given: str, named: str | None, *, yes: bool) -> None:
    """Let another client ID be stored only if a person says so: the stored one may be right, and the tokens its."""
    if named not in {None, given}:
        raise CommandFailed(f"--client-id names client {named}, and the file has client {given}")
    if named is not None or known in {None, given}:
        return
    differs = f"Client {known} is stored for the tokens of secret {context.secret_id}, and you gave client {given}"
    if yes:
        raise CommandFailed(
            f"{differs}; nothing was stored",
            fix=(
                "If the stored ID is a mistake, name yours: ",
                context.again("--client-id", given),
                ". If you want tokens of another client, get them: ",
                context.command("authorize", "--client-id", given),
            ),
        )
    confirm(f"{differs}. A provider rejects a refresh token that it issued to another client. Store {given}?")
