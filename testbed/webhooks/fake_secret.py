"""What a verifier reads its secret from, in tests: as `SecretReader` does it, without a store."""

from datetime import UTC, datetime
from itertools import count

from token_refresh.errors import TokenRefreshError
from token_refresh.reader import Secret, SecretReader


class FakeSecret(SecretReader):
    """Holds what is stored and what is cached; `reject` reads the one into the other."""

    def __init__(self, *texts: str, secret_id: str = "signing-secret") -> None:  # noqa: S107 - a name, no password
        # Without `super().__init__`, which would open a source.
        self.secret_id = secret_id
        self._numbers = count(1)
        self.cached = self.stored = self.versions(*texts)
        self.error: TokenRefreshError | None = None
        self.rejections = 0
        self.lookups = 0

    def versions(self, *texts: str | bytes) -> tuple[Secret, ...]:
        """Make versions, the current one first; each with an ID of its own."""
        return tuple(
            Secret(
                secret_id=self.secret_id,
                version_id=f"version-{next(self._numbers)}",
                created_at=datetime.fromtimestamp(0, UTC),
                stage="previous" if position else "current",
                value=text,
            )
            for position, text in enumerate(texts)
        )

    def store(self, *texts: str | bytes) -> None:
        """Change what is stored, and not what is cached."""
        self.stored = self.versions(*texts)

    def accepted(self) -> tuple[Secret, ...]:
        self.lookups += 1
        if self.error:
            raise self.error
        return self.cached

    async def aaccepted(self) -> tuple[Secret, ...]:
        return self.accepted()

    def reject(self, secret: Secret) -> bool:
        self.rejections += 1
        self.cached = self.stored
        return self.cached[0].version_id != secret.version_id

    async def areject(self, secret: Secret) -> bool:
        return self.reject(secret)
