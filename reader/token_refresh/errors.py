"""All named failures, one class each. Lambda reports the class name as `errorType`.

    TokenRefreshError
      ConfigurationError        a setting is missing or wrong
      InvalidEvent              the event is not one that the function accepts
      InvalidSecretDocument     the stored value is not a token document
      SecretStoreError
        SecretNotFound          the secret does not exist in this account and region
        SecretEmpty             the secret has no value yet
        SecretAccessDenied      the caller lacks a permission
        SecretStoreUnavailable  AWS is unreachable, throttles, or is at a limit
      RefreshError
        ClientRejected          the client credentials are wrong; the grant may be fine
        ReauthorizationRequired the grant is dead; a person must authorize again
        TokenEndpointUnavailable  nothing was redeemed
        RefreshOutcomeUnknown   a request was sent and no response arrived
        InvalidTokenResponse    the response is not a token response
        TokenRequestRejected    another error code of RFC 6749
        DeadlineExceeded        too little time left; nothing was redeemed
        TokensNotStored         new tokens arrived but could not be stored in time
      InternalError             a defect of this program

A message says what failed, why, and which command fixes it. It contains no secret, and of a provider's response only
error codes of RFC 6749 and values that its profile names: Lambda's runtime prints what is raised.
"""

from typing import TypeVar


class TokenRefreshError(Exception):
    """Base of all named failures."""


class ConfigurationError(TokenRefreshError):
    """A setting is missing or wrong. The message names the variable and what it must be."""


class InvalidEvent(TokenRefreshError):
    """The event is not one that the function accepts. The message names the key and what was expected."""


class InvalidSecretDocument(TokenRefreshError):
    """The stored value is not a token document. The message names the field, never its value."""


class SecretStoreError(TokenRefreshError):
    """Base of failures of Secrets Manager and DynamoDB. The message names secret, region and action."""


class SecretNotFound(SecretStoreError):
    """The secret does not exist in this account and region."""


class SecretEmpty(SecretStoreError):
    """The secret exists and has no value yet."""


class SecretAccessDenied(SecretStoreError):
    """The caller lacks a permission on the secret, its key or the claim table."""


class SecretStoreUnavailable(SecretStoreError):
    """AWS is unreachable, throttles, or is at a limit."""


class RefreshError(TokenRefreshError):
    """Base of failures of the refresh itself."""


class ClientRejected(RefreshError):
    """The provider rejected the client: `invalid_client` or `unauthorized_client` (RFC 6749 section 5.2)."""


class ReauthorizationRequired(RefreshError):
    """The provider rejected the refresh token: `invalid_grant` (RFC 6749 section 5.2), and nothing newer is stored."""


class TokenEndpointUnavailable(RefreshError):
    """The token endpoint is unreachable or asks to retry later. Nothing was redeemed."""


class RefreshOutcomeUnknown(RefreshError):
    """A token request was sent and no response arrived. The provider may have redeemed the refresh token."""


class InvalidTokenResponse(RefreshError):
    """The response is neither a token response nor an error response of RFC 6749."""


class TokenRequestRejected(RefreshError):
    """The token endpoint rejected the request with another error code of RFC 6749."""


class DeadlineExceeded(RefreshError):
    """Too little time is left to redeem and store safely. Nothing was redeemed."""


class TokensNotStored(RefreshError):
    """New tokens arrived but could not be stored before the deadline."""


class InternalError(TokenRefreshError):
    """A defect of this program. The message says where, never what the data was."""


E = TypeVar("E", bound=TokenRefreshError)


def without_traceback(error: E) -> E:
    """Copy an error without its traceback, cause and context, so that each caller raises a separate one.

    The frames of a traceback hold the stored document, and error reporters print them.
    """
    # Not `with_traceback(None)`: raising one object in two threads would mix their tracebacks.
    return type(error)(*error.args)
