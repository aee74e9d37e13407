"""Readers whose values a test sets."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from token_refresh.errors import without_traceback
from token_refresh.reader import Secret, SecretReader, Token, TokenExpired, TokenHealth, TokenReader, TokenRefreshError
from token_refresh.reader.secret import Stage
from token_refresh.stored.times import iso

LIFETIME: Final = timedelta(hours=24)


class _Fake:
    """What the fakes have in common: a test lets them fail, and sees what was rejected."""

    # Without `super().__init__`: that would parse a reference and open a source.
    def __init__(self) -> None:
        self._versions = (f"version-{number}" for number in count(1))
        self._failure: TokenRefreshError | None = None
        self.rejected: list[str] = []
        """What was rejected, in order: tokens, or version IDs of secrets."""

    def fail(self, error: TokenRefreshError) -> None:
        """Let each method that reads raise an error from now on, until the test sets another value.

        Args:
            error: What they raise.
        """
        self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            # A copy, as the real reader raises one: a test that compares identities would pass here and fail there.
            raise without_traceback(self._failure)


class FakeTokenReader(_Fake, TokenReader):
    """A `TokenReader` that reads nothing: it gives the token that the test set, as long as that is valid."""

    def __init__(
        self,
        value: str = "fake-access-token",
        *,
        lifetime: timedelta = LIFETIME,
        extra: Mapping[str, str | int] | None = None,
    ) -> None:
        """Start with a token.

        Args:
            value: The access token.
            lifetime: How long each token lives from when it is set.
            extra: What the provider sent with the grant, such as `realmId`.
        """
        super().__init__()
        self._lifetime, self._extra = lifetime, extra
        self.refresh(value)

    def refresh(self, value: str, *, lifetime: timedelta | None = None) -> Token:
        """Make another token current and end a failure, as a run of the worker would; return that token.

        Args:
            value: The access token.
            lifetime: How long this token lives; nothing, `timedelta()`, makes it expired at once.
        """
        now = datetime.now(UTC)
        self._failure = None
        self._token = Token(
            value=value,
            expires_at=now + (self._lifetime if lifetime is None else lifetime),
            version_id=next(self._versions),
            created_at=now,
            extra=self._extra,
        )
        return self._token

    def token(self) -> Token:
        """Return the token that was set.

        Raises:
            TokenExpired: The token's life is over.
            TokenRefreshError: `fail` has set it.
        """
        self._check()
        if datetime.now(UTC) >= self._token.expires_at:
            raise TokenExpired(f"the fake's access token expired at {iso(self._token.expires_at)}")
        return self._token

    async def atoken(self) -> Token:
        """Do what `token` does."""
        return self.token()

    def get(self) -> str:
        """Return the value of the token.

        Raises:
            TokenRefreshError: As for `token`.
        """
        return self.token().value

    def health(self) -> TokenHealth:
        """Return how the token that was set is, and which error was."""
        now = datetime.now(UTC)
        return TokenHealth(
            seconds_to_expiry=(self._token.expires_at - now).total_seconds(),
            age_seconds=(now - self._token.created_at).total_seconds(),
            last_error=self._failure,
        )

    def reject(self, token: str | Token) -> bool:
        """Note the rejection; return True if another token is current.

        Args:
            token: The token that was rejected, or its value.
        """
        value = token.value if isinstance(token, Token) else token
        self.rejected.append(value)
        return self._failure is None and value != self._token.value

    async def areject(self, token: str | Token) -> bool:
        """Do what `reject` does."""
        return self.reject(token)


class FakeSecretReader(_Fake, SecretReader):
    """A `SecretReader` that reads nothing: it gives the values that the test set."""

    def __init__(self, value: str | bytes = "fake-secret") -> None:
        """Start with a value.

        Args:
            value: The secret.
        """
        super().__init__()
        self._secrets: tuple[Secret, ...] = ()
        self.rotate(value, overlap=False)

    def rotate(self, value: str | bytes, *, overlap: bool = True) -> Secret:
        """Make another value current and end a failure; return its version.

        Args:
            value: The secret.
            overlap: Whether the one before stays accepted.
        """
        self._failure = None
        current = _secret(next(self._versions), value, "current")
        previous = [_secret(s.version_id, s.value, "previous") for s in self._secrets[:1] if overlap]
        self._secrets = (current, *previous)
        return current

    def accepted(self) -> tuple[Secret, ...]:
        """Return the values that were set, the current one first.

        Raises:
            TokenRefreshError: `fail` has set it.
        """
        self._check()
        return self._secrets

    async def aaccepted(self) -> tuple[Secret, ...]:
        """Do what `accepted` does."""
        return self.accepted()

    def reject(self, secret: Secret) -> bool:
        """Note the rejection; return True if another version is current.

        Args:
            secret: The version that did not work.
        """
        self.rejected.append(secret.version_id)
        return self._failure is None and secret.version_id != self._secrets[0].version_id

    async def areject(self, secret: Secret) -> bool:
        """Do what `reject` does."""
        return self.reject(secret)


def _secret(version_id: str, value: str | bytes, stage: Stage) -> Secret:
    return Secret(
        secret_id="fake",  # noqa: S106 - a name
        version_id=version_id,
        created_at=datetime.now(UTC),
        stage=stage,
        value=value,
    )
