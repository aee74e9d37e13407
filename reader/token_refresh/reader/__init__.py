"""Reads tokens and other secrets from AWS Secrets Manager and Parameter Store, for the services that use them.

    tokens = TokenReader("upwork-oauth-tokens")
    tokens.get()  # the access token: from memory, never expired

`token_refresh.reader.httpx_auth`, `httpx2_auth` and `requests_auth`, each beside its library, add it to requests.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from token_refresh.errors import (
    ConfigurationError,
    InternalError,
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
    TokenRefreshError,
)
from token_refresh.reader.errors import TokenExpired
from token_refresh.reader.runtime import Runtime
from token_refresh.reader.secret import Secret

if TYPE_CHECKING:
    from token_refresh.reader.secrets import SecretGroup, SecretReader
    from token_refresh.reader.sources.amplify import amplify_branch, amplify_sandbox
    from token_refresh.reader.token import Token, TokenHealth
    from token_refresh.reader.tokens import TokenReader

__all__ = [
    "ConfigurationError",
    "InternalError",
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
    "TokenHealth",
    "TokenReader",
    "TokenRefreshError",
    "amplify_branch",
    "amplify_sandbox",
]

_ON_FIRST_USE: Final = {
    "TokenHealth": "token",
    "SecretGroup": "secrets",
    "SecretReader": "secrets",
    "Token": "token",
    "TokenReader": "tokens",
    "amplify_branch": "sources.amplify",
    "amplify_sandbox": "sources.amplify",
}


def __getattr__(name: str) -> Any:
    # PEP 562. A service uses one or two of these, as a rule, and pays for no other.
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ON_FIRST_USE[name]}"), name)
