"""What a reader raises: the names that the worker uses for the same things, and one of its own.

TokenRefreshError            the base: catch this one to catch all
  SecretEmpty                there is no token yet
  TokenExpired               the stored token is expired and there is no newer one
  SecretAccessDenied         the caller may not read the secret, or has no credentials
  SecretNotFound             there is no such secret in this account and region
  InvalidSecretDocument      what is stored is not what it should be
  SecretStoreUnavailable     Secrets Manager can't be reached, and nothing valid is cached
"""

from token_refresh.errors import (
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
    TokenRefreshError,
)

__all__ = [
    "InvalidSecretDocument",
    "SecretAccessDenied",
    "SecretEmpty",
    "SecretNotFound",
    "SecretStoreUnavailable",
    "TokenExpired",
    "TokenRefreshError",
]


class TokenExpired(TokenRefreshError):  # noqa: N818 - named like the errors beside it
    """The stored access token is expired and no newer one is there; the message says since when."""
