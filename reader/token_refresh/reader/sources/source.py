"""What a source of secrets is, and what it gives."""

from datetime import datetime
from typing import Final, Protocol

from token_refresh.advice import Advice
from token_refresh.aws.request import AwsRequest
from token_refresh.reference import Reference


class Version:
    """One version of a secret, as it is stored; `repr` shows nothing of it."""

    # Not a dataclass: generating one takes a hundred times as long.
    __slots__ = ("content", "created_at", "how_to_renew", "reference", "request", "version_id")

    def __init__(  # noqa: PLR0913 - all of a version, by name
        self,
        *,
        reference: Reference,
        request: AwsRequest,
        version_id: str,
        created_at: datetime,
        content: str | bytes,
        how_to_renew: Advice,
    ) -> None:
        self.reference: Final = reference
        self.request: Final = request  # on this machine there is no action
        self.version_id: Final = version_id
        self.created_at: Final = created_at  # by the clock of the store
        self.content: Final = content
        self.how_to_renew: Final = how_to_renew  # says, after a colon, where a missing or newer token comes from

    @property
    def origin(self) -> str:
        """Name the secret, the version and the action in messages."""
        origin = f"{self.request.place}, version {self.version_id!r}"
        return f"{origin} ({self.request.action})" if self.request.action else origin


class Source(Protocol):
    """Reads secrets of one scheme.

    Each method raises a `TokenRefreshError` that names the reference, the action and the region.
    """

    def read(self, reference: Reference) -> Version:
        """Read the current version."""

    def read_all(self, references: tuple[Reference, ...]) -> dict[str, Version]:
        """Read the current versions of several secrets, by the text of their references."""
        return {reference.text: self.read(reference) for reference in references}

    def read_previous(self, reference: Reference) -> Version | None:
        """Read the version that was current before; None if the store keeps none."""
        del reference
        return None
