"""The errors that a reader raises: the worker's names for the same things, and one more.

TokenRefreshError            the base: catch this to catch all
  ConfigurationError         a reference, a region or another argument is wrong
  SecretEmpty                there is no token or value yet, or no token any more
  TokenExpired               the stored token is expired, and there is no newer one
  SecretAccessDenied         the caller may not read the secret, or has no credentials
  SecretNotFound             there is no such secret in this account and region
  InvalidSecretDocument      the stored value is not what it should be
  SecretStoreUnavailable     the store can't be reached, and nothing valid is cached
  InternalError              a defect of this program
"""

from token_refresh.errors import TokenRefreshError


class TokenExpired(TokenRefreshError):  # noqa: N818 - named like the errors beside it
    """The stored access token is expired and there is no newer one; the message says since when."""
