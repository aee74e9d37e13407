"""The versions of a token secret, and what each of them is: found from derived version IDs, since labels move."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from token_refresh.cli.aws import ask_secrets_manager
from token_refresh.core.claims import Claim, read_claim
from token_refresh.core.versions import claim_version_id, record_version_id, staged_version_id
from token_refresh.ports import SecretStore

_LONGEST_CHAIN: Final = 100_000
"""Claims that are looked for: four years of the daily limit, or 270 years of one refresh a day."""


class Kind(StrEnum):
    """What a version is."""

    RECEIVED = "token set, received by a run"
    STORED = "token set, stored by someone else"
    CLAIM = "claim"
    RECORD = "record of a failed attempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A version as `ListSecretVersionIds` gives it, and what it is."""

    version_id: str
    created_at: datetime
    labels: frozenset[str]
    kind: Kind

    @property
    def is_token_set(self) -> bool:
        """Whether tokens are in it."""
        return self.kind in {Kind.RECEIVED, Kind.STORED}


def list_versions(secret_id: str) -> list[Listed]:
    """List all versions that are still there, the newest first.

    Raises:
        SecretStoreError: It was refused.
    """
    found: dict[str, tuple[datetime, frozenset[str]]] = {}
    more: dict[str, str] = {}
    while True:
        answer = ask_secrets_manager("ListSecretVersionIds", secret_id, IncludeDeprecated=True, MaxResults=50, **more)
        for version in answer["Versions"]:
            labels = frozenset(version.get("VersionStages", ()))
            found[version["VersionId"]] = version["CreatedDate"].astimezone(UTC), labels
        if "NextToken" not in answer:
            break
        more = {"NextToken": answer["NextToken"]}
    kinds = _kinds(found)
    listed = [
        Listed(version_id=version_id, created_at=created_at, labels=labels, kind=kinds.get(version_id, Kind.STORED))
        for version_id, (created_at, labels) in found.items()
    ]
    return sorted(listed, key=lambda version: version.created_at, reverse=True)


def read_claims(store: SecretStore, versions: list[Listed]) -> Iterator[Claim]:
    """Read the claims among the versions, the newest first."""
    for listed in versions:
        if listed.kind is Kind.CLAIM:
            version = store.read(version_id=listed.version_id)
            if version is not None and version.value is not None:
                yield read_claim(version.version_id, version.value, version.created_at)


def _kinds(found: Mapping[str, object]) -> dict[str, Kind]:
    """Tell claims by walking their chain from its root, and what is stored under each by deriving where that is."""
    kinds: dict[str, Kind] = {}
    for claim in _claims(found):
        kinds[claim] = Kind.CLAIM
        kinds[record_version_id(claim)] = Kind.RECORD
        kinds |= dict.fromkeys((staged_version_id(claim, base) for base in found), Kind.RECEIVED)
    return kinds


def _claims(found: Mapping[str, object]) -> list[str]:
    """Give the claims that are there: without a gap, since the oldest go first and one nobody knows ends the chain."""
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
