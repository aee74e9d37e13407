"""Bring the published copy up to a token set that a change has just made current."""

from contextlib import suppress
from dataclasses import dataclass

from token_refresh.errors import TokenRefreshError
from token_refresh_worker.core.versions import CURRENT, published_version_id
from token_refresh_worker.run.actions import publish
from token_refresh_worker.run.ports import SecretStore
from token_refresh_worker.stored.document import TokenDocument


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PublishedCopyBeforeChange:
    """The published copy as it was before a change: only that one is replaced.

    A run that stores newer tokens after the change publishes them, and its copy stays.
    """

    store: SecretStore | None
    version_id: str | None = None
    failure: TokenRefreshError | None = None

    @classmethod
    def read(cls, store: SecretStore | None) -> "PublishedCopyBeforeChange":
        """Read the copy; an error counts when it is to be replaced, since the change comes first."""
        try:
            version = store.read(label=CURRENT) if store else None
        except TokenRefreshError as failure:
            return cls(store=store, failure=failure)
        return cls(store=store, version_id=version.version_id if version else None)

    def replace(self, document: TokenDocument, version_id: str) -> bool | None:
        """Publish a token set; False if another copy is there by now, None if there is nothing to publish."""
        complete = document.revoked_at is not None or (document.access_token and document.expires_at)
        if self.store is None or not complete:
            return None
        if self.failure is not None:
            raise self.failure
        if self.version_id == published_version_id(version_id):
            return True
        return publish(self.store, document, version_id, replaced=self.version_id)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StoredGrant:
    """A token set that was stored, and the published copy from before it."""

    version_id: str
    document: TokenDocument
    copy: PublishedCopyBeforeChange

    def publish(self) -> bool | None:
        """Publish it, and say whether the copy has it; what fails is left to a run. None: there is no copy."""
        with suppress(TokenRefreshError):
            return self.copy.replace(self.document, self.version_id)
        return False
