"""Reads tokens and other secrets out of AWS Secrets Manager, for the services that use them.

    tokens = TokenReader("upwork-oauth-tokens")
    tokens.get()  # the access token: from memory, never expired

`token_refresh.reader.httpx_auth` and `token_refresh.reader.requests_auth` put it on requests by themselves.
"""

from token_refresh.reader.errors import (
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
    TokenExpired,
    TokenRefreshError,
)
from token_refresh.reader.runtime import Runtime
from token_refresh.reader.secrets import Secret, SecretGroup, SecretReader
from token_refresh.reader.tokens import Token, TokenReader

__all__ = [
    "InvalidSecretDocument",
    "Runtime",
    "Secret",
    "SecretAccessDenied",
    "SecretEmpty",
    "SecretGroup",
    "SecretNotFound",
    "SecretReader",
    "SecretStoreUnavailable",
    "Token",
    "TokenExpired",
    "TokenReader",
    "TokenRefreshError",
]
