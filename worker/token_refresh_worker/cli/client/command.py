"""`token-refresh client`: replace the client credentials, and keep the grant."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from token_refresh.errors import ConfigurationError, InvalidSecretDocument, SecretEmpty
from token_refresh.stored.json_object import write_object
from token_refresh_worker.cli.command import command
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.failures import CommandFailed, finishing
from token_refresh_worker.cli.lookups import saying_where
from token_refresh_worker.cli.prompts import ask_client, confirm, read_client_file
from token_refresh_worker.cli.screen import fields_table, message, output, show, text
from token_refresh_worker.cli.secret.storing import (
    CLIENT_KEYS,
    document_of,
    fields_of,
    is_snake,
    store_version,
)
from token_refresh_worker.cli.settings import settings_for
from token_refresh_worker.core.versions import CURRENT, OUTCOME
from token_refresh_worker.run.credentials import find_credentials
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.credentials import ClientCredentials

TRIES: Final = 5
"""How often a run may make other tokens current meanwhile."""


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
    known = _known(context, settings, fields)
    given = read_client_file(client_file) if client_file else ask_client(settings, known.client_id if known else None)
    if known is not None and known.client_id != given.client_id:
        raise CommandFailed(
            f"the tokens of secret {context.secret_id} belong to client {known.client_id}, not to {given.client_id}",
            fix=("Get tokens of that client: ", context.command("authorize", "--client-id", given.client_id)),
        )
    if settings.client_secret_id is None and known is None and not context.knows_function and not yes:
        confirm("Nothing says where the function reads its client credentials. Store them beside the tokens?")
    with finishing("The credentials are stored first."):
        where, version_id = _store(context, settings, given)
    output().print(text("Stored: the next refresh uses these client credentials.", "bold green"))
    output().print(fields_table([("secret", where), ("region", context.region), ("version", version_id)]))
    show(output(), *message("Try them: ", context.command("refresh", "--force")))
    return 0


def _token_fields(context: Context) -> dict[str, object]:
    """Read the token document.

    Raises:
        SecretEmpty: There is none yet.
        InvalidSecretDocument: Something else is stored.
    """
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


def _known(context: Context, settings: Settings, fields: Mapping[str, object]) -> ClientCredentials | None:
    """Give the credentials that a run would use; None if there are none that it could."""
    document = document_of(dict(fields))
    assert document is not None  # noqa: S101 - `_token_fields` has checked it
    try:
        return find_credentials(document, settings=settings, secret=context.client_secret)
    except (ConfigurationError, InvalidSecretDocument):
        return None


def _store(context: Context, settings: Settings, given: ClientCredentials) -> tuple[str, str]:
    """Store them; gives the secret and the version that hold them.

    Raises:
        CommandFailed: Runs kept making other tokens current.
        SecretStoreError: Secrets Manager refused.
    """
    if settings.client_secret_id is not None:
        store = context.client_secret(settings.client_secret_id)
        # The one before stays readable under AWSPREVIOUS, for the time until the provider knows this one.
        changed = _with_client(fields_of(store.read(label=CURRENT)), given)
        return settings.client_secret_id, store_version(store, write_object(changed))
    store = context.store()
    for _ in range(TRIES):
        current = store.read(label=CURRENT)
        version_id = str(uuid.uuid4())
        # Not under AWSCURRENT: that label moves only if no run made other tokens current meanwhile.
        store.put(version_id, write_object(_with_client(fields_of(current), given)), label=OUTCOME)
        if current is not None and store.move_label(CURRENT, to=version_id, remove_from=current.version_id):
            return context.secret_id, version_id
    raise CommandFailed(
        f"runs kept changing secret {context.secret_id}; the client credentials are not stored",
        fix=("Try again: ", context.command("client")),
    )


def _with_client(fields: Mapping[str, object], given: ClientCredentials) -> dict[str, object]:
    """Put the credentials in, in the spelling that is there."""
    client_id, client_secret = ("client_id", "client_secret") if is_snake(fields) else ("clientId", "clientSecret")
    kept = {name: value for name, value in fields.items() if name not in CLIENT_KEYS}
    secret = {} if given.client_secret is None else {client_secret: given.client_secret.reveal()}
    return {**kept, client_id: given.client_id, **secret}
