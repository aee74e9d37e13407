"""Store a token set for the operator: as a new version of the secret, or as its first."""

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import read_object, write_object
from token_refresh_worker.cli.context import Context
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.ports import SecretStore, SecretVersion
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument, read_document

_NAME_PARTS: Final = 3
"""A name by the convention is {app}/{environment}/{service}."""

PROBE_VERSION_ID: Final = "9d0f6a1e-5b0c-4f43-8a52-7c1f3f2f5e10"
"""The version that `doctor` stores to try the caller's permissions; it holds no token."""

CLIENT_KEYS: Final = ("clientId", "clientSecret", "client_id", "client_secret")
"""The keys of client credentials beside the tokens, in both spellings."""


def fields_of(version: SecretVersion | None) -> dict[str, object]:
    """Give the keys of what is stored; none if that is not a JSON object."""
    if version is not None and version.value is not None:
        with contextlib.suppress(InvalidSecretDocument):
            return read_object(version.value)
    return {}


def document_of(fields: dict[str, object], *, needs_refresh_token: bool = True) -> TokenDocument | None:
    """Give the token document, or None if the keys don't make one."""
    try:
        document = read_document(write_object(fields), needs_refresh_token=needs_refresh_token)
    except InvalidSecretDocument:
        return None
    return document if document.redeemed_token else None


def is_snake(fields: Mapping[str, object]) -> bool:
    """Whether the document is in snake case."""
    return "refresh_token" in fields or "client_id" in fields


def base_document(fields: dict[str, object], client: ClientCredentials | None) -> TokenDocument:
    """Give the document that new tokens are put into.

    Args:
        fields: The keys that are stored; all are kept if they fit a token document.
        client: Client credentials to store beside the tokens, in the spelling that is there.
    """
    camel, snake = ("refreshToken", "clientId", "clientSecret"), ("refresh_token", "client_id", "client_secret")
    refresh_token, client_id, client_secret = snake if is_snake(fields) else camel
    own: dict[str, object] = {}
    if client is not None:
        own[client_id] = client.client_id
        if client.client_secret is not None:
            own[client_secret] = client.client_secret.reveal()
        fields = {name: value for name, value in fields.items() if name not in CLIENT_KEYS}
    # The received refresh token replaces `none yet`. Keys that don't fit a token document are dropped: with them no run
    # could read the new tokens.
    replaced = {refresh_token: "none yet", **own}
    return document_of({**fields, **replaced}) or read_document(write_object(replaced))


def store_version(store: SecretStore, value: SecretValue) -> str:
    """Make a value the current version, under a random version ID, as any operator's change.

    Raises:
        SecretStoreError: Secrets Manager refused.
    """
    version_id = str(uuid.uuid4())
    store.put(version_id, value, label=CURRENT)
    return version_id


def create_secret(context: Context, value: SecretValue, tags: Sequence[tuple[str, str]]) -> str:
    """Create the secret with its first version.

    Raises:
        SecretStoreError: Secrets Manager refused.
    """
    version_id = str(uuid.uuid4())
    context.ask(
        "secretsmanager:CreateSecret",
        "secret",
        context.secret_id,
        Name=context.secret_id,
        ClientRequestToken=version_id,
        Description="OAuth 2.0 tokens, refreshed by token-refresh-worker",
        SecretString=value.reveal(),
        Tags=[{"Key": key, "Value": text} for key, text in tags],
    )
    return version_id


def tags_for(name: str, given: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give the tags of a new secret: those that its name stands for by the convention, and those that were given."""
    parts = name.split("/")
    by_name = dict(zip(("app", "environment", "service"), parts, strict=True)) if len(parts) == _NAME_PARTS else {}
    return sorted(({"managed-by": "token-refresh-worker"} | by_name | dict(given)).items())
