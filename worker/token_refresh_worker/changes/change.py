"""What all changes share: how one fails, what they read, compare and swap, and trying again."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Self, TypeVar

from token_refresh.advice import Advice
from token_refresh.errors import InvalidSecretDocument, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import read_object, write_object
from token_refresh_worker.core.versions import CURRENT, OUTCOME
from token_refresh_worker.run.parts import Parts
from token_refresh_worker.run.ports import Clock, SecretStore, SecretVersion
from token_refresh_worker.stored.document import TokenDocument, read_document

T = TypeVar("T")

TRIES: Final = 15
WAIT_SECONDS: Final = 3.0
"""Runs that store something meanwhile, and stale reads, let a try fail: the next one reads again."""

CLIENT_KEYS: Final = ("clientId", "clientSecret", "client_id", "client_secret")
"""The keys of client credentials beside the tokens, in both spellings."""


class ChangeFailed(TokenRefreshError):  # noqa: N818 - named as the other failures are
    """A change can't be made; the message says why, and what to do."""

    @classmethod
    def for_now(cls, what: str, *, fix: str | Advice = ()) -> Self:
        """Give the error of a change that another try may make."""
        error = cls(what, fix=fix)
        error.needs_person = False
        return error


def repeated(once: Callable[[], T | None], clock: Clock) -> T | None:
    """Try until something comes of it; None if nothing does."""
    done = once()
    for _ in range(TRIES - 1):
        if done is not None:
            break
        clock.sleep(WAIT_SECONDS)
        done = once()
    return done


def swap(store: SecretStore, replaced: str | None, version_id: str, value: SecretValue) -> bool:
    """Make a value current in place of the version `replaced`; False if that is not current any more.

    Raises:
        SecretStoreError: Secrets Manager refused.
    """
    # Not under AWSCURRENT: that label moves only from the version that was read.
    store.put(version_id, value, label=OUTCOME)
    return store.move_label(CURRENT, to=version_id, remove_from=replaced)


def fields_of(version: SecretVersion | None) -> dict[str, object]:
    """Give the keys of what is stored; none if that is not a JSON object."""
    if version is not None and version.value is not None:
        with suppress(InvalidSecretDocument):
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


def new_version_id(parts: Parts) -> str:
    """Make a random version ID, as any operator's change has."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, parts.nonce()))


def store_version(store: SecretStore, version_id: str, value: SecretValue) -> str:
    """Make a value the current version, whatever is current.

    Raises:
        SecretStoreError: Secrets Manager refused.
    """
    store.put(version_id, value, label=CURRENT)
    return version_id
