"""The versions of a token secret, and what each of them is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from token_refresh.secret_value import SecretValue
from token_refresh_worker.cli.secret.storing import PROBE_VERSION_ID, document_of, fields_of
from token_refresh_worker.core.claims import Claim, Record, read_claim, read_record
from token_refresh_worker.core.versions import staged_version_id
from token_refresh_worker.run.ports import SecretStore, SecretVersion
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.origin import Origin


class VersionKind(StrEnum):
    """What a version is."""

    RECEIVED = "token set, received by a run"
    AUTHORIZED = "token set, stored by authorize"
    STORED = "token set, stored by an operator"
    OTHER = "not a token set"
    CLAIM = "claim"
    RECORD = "record of a failed attempt"
    PROBE = "probe of doctor"

    @property
    def is_note(self) -> bool:
        """Whether it is a note of this program, and not a value of the secret."""
        return self in {VersionKind.CLAIM, VersionKind.RECORD, VersionKind.PROBE}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVersion:
    """A version as `ListSecretVersionIds` gives it, with its value, and what it is."""

    version_id: str
    created_at: datetime
    labels: frozenset[str]
    kind: VersionKind
    value: SecretVersion | None
    claim: Claim | None = None
    record: Record | None = None
    document: TokenDocument | None = None

    @property
    def origin(self) -> Origin | None:
        """Where a token set comes from."""
        return self.document.origin if self.document else None


def list_versions(
    entries: Iterable[Mapping[str, Any]], store: SecretStore, *, needs_refresh_token: bool
) -> list[ListedVersion]:
    """Read the versions that `ListSecretVersionIds` lists in `entries`, the newest first.

    Raises:
        SecretStoreError: Secrets Manager refused.
    """
    by_id = {entry["VersionId"]: entry for entry in entries}  # A version that moves between pages is listed twice.
    listed = [
        _identify(entry, store.read(version_id=version_id), needs_refresh_token=needs_refresh_token)
        for version_id, entry in by_id.items()
    ]
    # Only a version ID that derives from a claim proves that a run stored the set: an edited copy keeps `tokenRefresh`.
    claims = {version.version_id for version in listed if version.claim}
    received = {staged_version_id(claim, version.version_id) for claim in claims for version in listed}
    marked = [
        replace(version, kind=VersionKind.RECEIVED) if version.document and version.version_id in received else version
        for version in listed
    ]
    return sorted(marked, key=lambda version: version.created_at, reverse=True)


def _identify(entry: Mapping[str, Any], value: SecretVersion | None, *, needs_refresh_token: bool) -> ListedVersion:
    """Say what a version is, by its content."""
    version_id, created_at = entry["VersionId"], entry["CreatedDate"].astimezone(UTC)
    text = (value.value if value else None) or SecretValue("")
    document = document_of(fields_of(value), needs_refresh_token=needs_refresh_token)
    claim = read_claim(version_id, text, created_at)
    record = None if claim else read_record(text)
    if document is not None:
        kind = _kind_of(document)
    elif version_id == PROBE_VERSION_ID:
        kind = VersionKind.PROBE
    else:
        kind = VersionKind.CLAIM if claim else VersionKind.RECORD if record else VersionKind.OTHER
    return ListedVersion(
        version_id=version_id,
        created_at=created_at,
        labels=frozenset(entry.get("VersionStages", ())),
        kind=kind,
        value=value,
        claim=claim,
        record=record,
        document=document,
    )


def _kind_of(document: TokenDocument) -> VersionKind:
    """Say who stored a token set, by its key `tokenRefresh`; an edited copy keeps the key."""
    origin = document.origin
    # Without a claim: the first grant, stored before there was the mark `authorized`.
    return VersionKind.AUTHORIZED if origin and (origin.authorized or not origin.claim_id) else VersionKind.STORED
