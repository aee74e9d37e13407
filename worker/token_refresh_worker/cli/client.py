"""`token-refresh client`: replace the client credentials, and keep the grant."""

from pathlib import Path
from typing import Annotated

import typer

from token_refresh.errors import ConfigurationError, InvalidSecretDocument, SecretEmpty
from token_refresh_worker.changes.change import document_of, fields_of
from token_refresh_worker.changes.client import replace_client
from token_refresh_worker.cli.command import command
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.failures import CommandFailed, finishing
from token_refresh_worker.cli.lookups import saying_where
from token_refresh_worker.cli.prompts import ask_client, confirm, read_client_file
from token_refresh_worker.cli.screen import fields_table, message, output, show, text
from token_refresh_worker.cli.settings import settings_for
from token_refresh_worker.core.versions import CURRENT


@command("client", "", "upwork-oauth-tokens --client-file client.json")
def client(
    context: Context,
    *,
    client_file: Annotated[
        Path | None, typer.Option(help="JSON file with clientId and clientSecret, readable by you alone.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing but the credentials.")] = False,
) -> int:
    """Replace the client credentials where runs read them: the tokens stay, and nobody has to consent again.

    They go into the secret that CLIENT_SECRET_ID names, else beside the tokens. Runs go on meanwhile.
    """
    with saying_where(context):
        fields = _token_fields(context)
    settings = settings_for(context, fields)
    parts = context.run(settings).parts
    document = document_of(fields)
    assert document is not None  # noqa: S101 - `_token_fields` has checked it
    try:
        known = parts.credentials(document)
    except (ConfigurationError, InvalidSecretDocument):
        known = None  # A run would find none that it could use.
    given = read_client_file(client_file) if client_file else ask_client(settings, known.client_id if known else None)
    if known is not None and known.client_id != given.client_id:
        raise CommandFailed(
            f"the tokens of secret {context.secret_id} belong to client {known.client_id}, not to {given.client_id}",
            fix=("Get tokens of that client: ", context.command("authorize", "--client-id", given.client_id)),
        )
    if settings.client_secret_id is None and known is None and not context.knows_function and not yes:
        confirm("Nothing says where the function reads its client credentials. Store them beside the tokens?")
    where = settings.client_secret_id
    with finishing("The credentials are stored first."):
        client_secret = context.store(where, setting="CLIENT_SECRET_ID") if where else None
        version_id = replace_client(
            context.run(settings).parts, client_secret, given, field=settings.client_secret_field
        )
    output().print(text("Stored: the next refresh uses these client credentials.", "bold green"))
    output().print(
        fields_table([("secret", where or context.secret_id), ("region", context.region), ("version", version_id)])
    )
    show(output(), *message("Try them: ", context.command("refresh", "--force")))
    return 0


def _token_fields(context: Context) -> dict[str, object]:
    """Read the token document."""
    version = context.store().read(label=CURRENT)
    fields = fields_of(version)
    if version is None:
        raise SecretEmpty(
            f"secret {context.secret_id} in {context.region} has no value yet",
            fix=("Store the first token set, and the client with it: ", context.command("authorize")),
        )
    if document_of(fields) is None:
        raise InvalidSecretDocument(
            f"secret {context.secret_id} in {context.region} holds no token document",
            fix=("Bring the last good one back: ", context.command("restore")),
        )
    return fields
