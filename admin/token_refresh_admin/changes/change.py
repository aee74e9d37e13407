"""What all changes share: how one fails, what they read, compare and swap, and trying again."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, Self, TypeVar

from token_refresh.advice import Advice
from token_refresh.errors import ConfigurationError, InvalidSecretDocument, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import read_object, write_object
from token_refresh.stored.spelling import SNAKE, find_spelling
from token_refresh_worker.core.schedule import believed
from token_refresh_worker.core.versions import CURRENT, OUTCOME
from token_refresh_worker.providers.loader import nearest, own_profiles, profile_names
from token_refresh_worker.providers.variables import PROVIDER_KEY, provider_named_in
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.ports import Clock, RunDependencies, SecretStore, SecretVersion
from token_refresh_worker.stored.document import TokenDocument, read_document
from token_refresh_worker.stored.origin import read_origin

T = TypeVar("T")

TRIES: Final = 15
WAIT_SECONDS: Final = 3.0
"""Runs that store something meanwhile, and stale reads, let a try fail: the next one reads again."""

CLIENT_KEYS: Final = ("clientId", "clientSecret", "client_id", "client_secret")
"""The keys of client credentials beside the tokens, in both spellings."""


class ChangeFailed(TokenRefreshError):  # noqa: N818 - named as the other failures are
    """A change can't be made; the message says why, and what to do."""

    @classmethod
    def for_now(cls, what: str, *, fix: str | Advice = (), retry_at: datetime | None = None) -> Self:
        """Return the error of a change that another try may make."""
        error = cls(what, fix=fix)
        error.needs_person, error.retry_at = False, retry_at
        return error


class NullLog:
    """The log of a change, which writes nothing: the caller says what the change did."""

    def info(self, event: str, **fields: object) -> None:
        """Say nothing."""

    def warning(self, event: str, **fields: object) -> None:
        """Say nothing."""


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
    """Make a value current in place of the version `replaced`; False if that is not current any more."""
    # Not under AWSCURRENT: that label moves only from the version that was read.
    store.put(version_id, value, label=OUTCOME)
    return store.move_label(CURRENT, to=version_id, remove_from=replaced)


def swap_shown(
    parts: RunDependencies, store: SecretStore, shown: str | None, value: SecretValue, version_id: str | None = None
) -> str:
    """Make a value current in place of the version that a person was shown, or of none; return its version.

    Raises:
        ChangeFailed: Something else is current by now, and stays.
    """
    version_id = version_id or new_version_id(parts)
    if shown is None:  # The first version of a secret is its current one, whatever its label.
        store.put(version_id, value, label=OUTCOME)
    elif swap(store, shown, version_id, value):
        return version_id
    current = store.read(label=CURRENT)
    # Of a repeated move the service says that the label is not there any more.
    if current is None or current.version_id != version_id:
        raise overtaken(parts)
    return version_id


def overtaken(parts: RunDependencies) -> ChangeFailed:
    """Say that somebody changed meanwhile what a person was shown."""
    return ChangeFailed.for_now(
        f"what is current for {parts.secret} changed since this command read it: the new value stays, and yours is not "
        "stored in its place",
        fix=("Look at it again: ", parts.secret.command("status")),
    )


PROBE_LABEL: Final = "REFRESH_PROBE"
PROBE_VERSION_ID: Final = "9d0f6a1e-5b0c-4f43-8a52-7c1f3f2f5e10"
"""The version that is stored to try the caller's permissions; it holds no token."""
PROBE: Final = '{"probe":"token-refresh doctor"}'


def prove_write(store: SecretStore) -> None:
    """Find out whether the caller may store a version and move a label; not on a secret without a value."""
    store.put(PROBE_VERSION_ID, SecretValue(PROBE), label=PROBE_LABEL)
    # No version of that ID has the label. For a caller that may move labels, only this is refused.
    store.move_label(PROBE_LABEL, to=PROBE_VERSION_ID, remove_from=str(uuid.uuid4()))


def settings_in(
    environment: Mapping[str, str],
    fields: Mapping[str, object],
    secret: Callable[[], SecretName],
    *,
    is_deployed: bool = False,
) -> dict[str, str]:
    """Return PROVIDER and CLAIM_TABLE as a token document has them, where the settings don't say them.

    What is deployed says where the claims are, also where it has no table.

    Raises:
        ConfigurationError: No profile has that name.
    """
    found: dict[str, str] = {}
    name, ours, origin = provider_named_in(fields), environment.get("PROVIDER"), read_origin(fields)
    table = origin.claim_store.table if origin else None
    if table and not (is_deployed or environment.get("CLAIM_TABLE")):
        found["CLAIM_TABLE"] = table
    if name in {None, ours}:
        return found
    own = own_profiles(environment)
    if name not in profile_names(own):
        raise ConfigurationError(
            f"the key {PROVIDER_KEY} of {secret()} is not the name of a profile{nearest(str(name), own)}",
            fix=(
                *("Bring the last good one back: ", secret().command("restore")),
                *(". Or get new tokens: ", secret().command("authorize", "--provider", "NAME")),
            ),
        )
    return found if ours else {**found, "PROVIDER": str(name)}


def fields_of(version: SecretVersion | None) -> dict[str, object]:
    """Return the keys of what is stored; none if that is not a JSON object."""
    if version is not None and version.value is not None:
        with suppress(InvalidSecretDocument):
            return read_object(version.value)
    return {}


def believed_fields(parts: RunDependencies, version: SecretVersion | None) -> dict[str, object]:
    """Return the keys of what is stored, with the times that a run believes: stored again, a doubt would look new."""
    fields = fields_of(version)
    document = document_of(fields, needs_refresh_token=parts.provider.needs_refresh_token)
    return dict(believed(document, version.created_at, parts.policy).fields) if version and document else fields


def document_of(fields: dict[str, object], *, needs_refresh_token: bool) -> TokenDocument | None:
    """Return the token document, or None if the keys don't make one."""
    try:
        document = read_document(write_object(fields), needs_refresh_token=needs_refresh_token)
    except InvalidSecretDocument:
        return None
    return document if document.redeemed_token else None


def is_snake(fields: Mapping[str, object]) -> bool:
    """Whether the document is in snake case: its tokens say so, and only where it has none its client does."""
    with suppress(InvalidSecretDocument):  # Both spellings are there: the reader of the document says so.
        spelling = find_spelling(fields)
        return "client_id" in fields if spelling is None else spelling is SNAKE
    return True


def new_version_id(parts: RunDependencies) -> str:
    """Make a random version ID, as any operator's change has."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, parts.nonce()))
