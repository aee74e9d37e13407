"""The errors that a reader raises: the worker's names for the same things, and one more.

TokenRefreshError            the base: catch this to catch all
  ConfigurationError         a reference, a region or another argument is wrong
  SecretEmpty                there is no token or value yet
  TokenExpired               the stored token is expired, and there is no newer one
  SecretAccessDenied         the caller may not read the secret, or has no credentials
  SecretNotFound             there is no such secret in this account and region
  InvalidSecretDocument      the stored value is not what it should be
  SecretStoreUnavailable     the store can't be reached, and nothing valid is cached
  InternalError              a defect of this program
"""

import copy
from typing import TypeVar

from token_refresh.errors import (
    ConfigurationError,
    InternalError,
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
    TokenRefreshError,
    raised_at,
)

__all__ = [
    "ConfigurationError",
    "InternalError",
    "InvalidSecretDocument",
    "SecretAccessDenied",
    "SecretEmpty",
    "SecretNotFound",
    "SecretStoreUnavailable",
    "TokenExpired",
    "TokenRefreshError",
    "defect",
    "without_traceback",
]

E = TypeVar("E", bound=TokenRefreshError)


class TokenExpired(TokenRefreshError):  # noqa: N818 - named like the errors beside it
    """The stored access token is expired and there is no newer one; the message says since when."""


def without_traceback(error: E) -> E:
    """Copy an error without its traceback, cause and context, so that each caller raises a separate one.

    The frames of a traceback hold the stored document, and error reporters print them.
    """
    # Not `with_traceback(None)`: raising one object in two threads would mix their tracebacks.
    return copy.copy(error)


def defect(error: Exception) -> InternalError:
    """Name an error that should not have happened by its class and place; its text may quote the stored value."""
    return InternalError(f"{raised_at(error)}: a defect of the reader")
