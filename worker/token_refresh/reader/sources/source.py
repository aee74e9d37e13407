"""What a source of secrets is, and what it gives."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from token_refresh.reader.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a secret, as it is stored."""

    reference: Reference
    place: str
    """Names the secret in messages: `secret my-app in eu-central-1`."""
    action: str | None = None
    """What read it, as IAM names it; None on this machine."""
    version_id: str
    created_at: datetime
    content: str | bytes = field(repr=False)

    @property
    def origin(self) -> str:
        """Name the secret, the version and the action in messages."""
        origin = f"{self.place}, version {self.version_id}"
        return f"{origin} ({self.action})" if self.action else origin


class Source(Protocol):
    """Reads secrets of one scheme.

    Each method raises a `TokenRefreshError` that names the reference, the action and the region.
    """

    def read(self, reference: Reference) -> Version:
        """Read the current version."""
        ...

    def read_all(self, references: tuple[Reference, ...]) -> dict[str, Version]:
        """Read the current versions of several secrets, by the text of their references."""
        ...

    def read_previous(self, reference: Reference) -> Version | None:
        """Read the version that was current before; None if the store keeps none."""
        ...

    def place_of(self, reference: Reference) -> str:
        """Name a secret in messages."""
        ...

    def how_to_get_one(self, reference: Reference) -> str:
        """Say, in words that can end a sentence, where a missing or newer token comes from."""
        ...
