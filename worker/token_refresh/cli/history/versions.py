"""The versions of a token secret, and what each of them is: found from derived version IDs, since labels move."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from token_refresh.cli.context import Context
from token_refresh.cli.secret.storing import document_of, fields_of
from token_refresh.core.claims import Claim, read_claim
from token_refresh.core.versions import claim_version_id, record_version_id, staged_version_id
from token_refresh.errors import InvalidSecretDocument
from token_refresh.ports import SecretStore

_LONGEST_CHAIN: Final = 100_000
"""Claims that are looked for: four years of the daily limit, or 270 years of one refresh a day."""


class Kind(StrEnum):
    """What a version is."""

    RECEIVED = "token set, received by a run"
    STORED = "token set, stored by an operator"
    OTHER = "not a token set"
    CLAIM = "claim"
    RECORD = "record of a failed attempt"

    @property
    def is_token_set(self) -> bool:
        """Whether it has tokens in it."""
        return self in {Kind.RECEIVED, Kind.STORED}

    @property
    def is_value(self) -> bool:
        """Whether it is a value of the secret, and not a note of the worker's."""
        return self not in {Kind.CLAIM, Kind.RECORD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A version as `ListSecretVersionIds` gives it, and what it is."""

    version_id: str
    created_at: datetime
    labels: frozenset[str]
    kind: Kind


def list_versions(context: Context) -> list[Listed]:
    """List all versions that still exist, the newest first.

    Raises:
        SecretStoreError: Secrets Manager refused.
    """
    store, found = context.store(), _find(context)
    kinds = _kinds(found)
    listed = [
        Listed(
            version_id=version_id,
            created_at=created_at,
            labels=labels,
            kind=kinds.get(version_id) or _kind_of_value(store, version_id),
        )
        for version_id, (created_at, labels) in found.items()
    ]
    return sorted(listed, key=lambda version: version.created_at, reverse=True)


def read_claims(store: SecretStore, versions: list[Listed]) -> Iterator[Claim]:
    """Read the claims among the versions, the newest first; one that can't be read is skipped."""
    for listed in versions:
        version = store.read(version_id=listed.version_id) if listed.kind is Kind.CLAIM else None
        if version is not None and version.value is not None:
            try:
                yield read_claim(version.version_id, version.value, version.created_at)
            except InvalidSecretDocument:
                continue


def _find(context: Context) -> dict[str, tuple[datetime, frozenset[str]]]:
    found: dict[str, tuple[datetime, frozenset[str]]] = {}
    more: dict[str, str] = {}
    while True:
        page = context.ask("ListSecretVersionIds", context.secret_id, IncludeDeprecated=True, MaxResults=50, **more)
        for version in page["Versions"]:
            labels = frozenset(version.get("VersionStages", ()))
            found[version["VersionId"]] = version["CreatedDate"].astimezone(UTC), labels
        if "NextToken" not in page:
            return found
        more = {"NextToken": page["NextToken"]}


def _kind_of_value(store: SecretStore, version_id: str) -> Kind:
    document = document_of(fields_of(store.read(version_id=version_id)))
    return Kind.OTHER if document is None else Kind.STORED


def _kinds(found: Mapping[str, object]) -> dict[str, Kind]:
    """Find claims by following their chain from its root, and derive the IDs of what is stored under each."""
    kinds: dict[str, Kind] = {}
    for claim in _claims(found):
        kinds[claim] = Kind.CLAIM
        kinds[record_version_id(claim)] = Kind.RECORD
        kinds |= dict.fromkeys((staged_version_id(claim, base) for base in found), Kind.RECEIVED)
    return kinds


def _claims(found: Mapping[str, object]) -> list[str]:
    """Give the claims that exist: without a gap, since the oldest are removed first and nothing follows the newest."""
    claims: list[str] = []
    for claim in islice(_chain(), _LONGEST_CHAIN):
        if claim in found:
            claims.append(claim)
        elif claims:
            break
    return claims


def _chain() -> Iterator[str]:
    claim: str | None = None
    while True:
        claim = claim_version_id(claim)
        yield claim
