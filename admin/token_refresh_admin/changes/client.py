"""Replace the client credentials where runs read them; the tokens stay."""

from collections.abc import Mapping

from token_refresh.stored.json_object import write_object
from token_refresh_admin.changes.change import (
    CLIENT_KEYS,
    ChangeFailed,
    believed_fields,
    fields_of,
    is_snake,
    new_version_id,
    overtaken,
    repeated,
    swap,
    swap_shown,
)
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.ports import RunDependencies, SecretStore, SecretVersion
from token_refresh_worker.stored.credentials import ClientCredentials


def replace_client(
    parts: RunDependencies,
    client_secret: SecretStore | None,
    given: ClientCredentials,
    *,
    shown: SecretVersion | None,
    field: str | None = None,
) -> str:
    """Store client credentials in the client secret, or in a field of it, else beside the tokens; return the version.

    `shown` is the version of that secret with the credentials that a person was shown. If there are others by now, they
    stay.
    """
    if client_secret is not None:
        # The one before stays readable under AWSPREVIOUS, for the time until the provider knows this one.
        changed = write_object(_in_field(fields_of(shown), field, given))
        return swap_shown(parts, client_secret, shown.version_id if shown else None, changed)

    def once() -> str | None:
        current, version_id = parts.store.read(label=CURRENT), new_version_id(parts)
        fields = believed_fields(parts, current)
        changed = with_client(fields, given)
        if _client_in(fields) not in (_client_in(fields_of(shown)), _client_in(changed)):
            raise overtaken(parts)
        swapped = current and swap(parts.store, current.version_id, version_id, write_object(changed))
        return version_id if swapped else None

    stored = repeated(once, parts.deadline.clock)
    if stored is None:
        raise ChangeFailed.for_now(
            f"runs kept changing secret {parts.secret.secret_id}; the client credentials are not stored",
            fix=("Try again: ", parts.secret.command("client")),
        )
    return stored


def _client_in(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: fields[name] for name in CLIENT_KEYS if name in fields}


def _in_field(fields: Mapping[str, object], field: str | None, given: ClientCredentials) -> dict[str, object]:
    if field is None:
        return with_client(fields, given)
    there = fields.get(field)
    return {**fields, field: with_client(there if isinstance(there, dict) else {}, given)}


def with_client(fields: Mapping[str, object], given: ClientCredentials) -> dict[str, object]:
    """Put the credentials in, in the spelling that is there."""
    client_id, client_secret = ("client_id", "client_secret") if is_snake(fields) else ("clientId", "clientSecret")
    others = {name: value for name, value in fields.items() if name not in CLIENT_KEYS}
    secret = {} if given.client_secret is None else {client_secret: given.client_secret.reveal()}
    return {**others, client_id: given.client_id, **secret}
