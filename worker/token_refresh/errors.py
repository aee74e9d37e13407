"""Every way in which a run can fail, one class each; Lambda reports the class name as `errorType`.

    TokenRefreshError
      ConfigurationError        a setting is missing or wrong
      InvalidEvent              the event is neither a schedule's nor an on-demand run's
      InvalidSecretDocument     what is stored is not a token document
      SecretStoreError
        SecretNotFound          there is no such secret in this region
        SecretEmpty             the secret has no value yet
        SecretAccessDenied      the caller may not do this to the secret
        SecretStoreUnavailable  Secrets Manager is out of reach, or at a limit
      RefreshError
        ClientRejected          the client credentials are wrong; the grant may be fine
        ReauthorizationRequired the grant is dead: a person must authorize again
        TokenEndpointUnavailable  nothing was redeemed
        RefreshOutcomeUnknown   a request may have been received, and no answer came
        InvalidTokenResponse    the answer is not a token response
        TokenRequestRejected    an RFC 6749 error of another kind
        DeadlineExceeded        too little time left; nothing was claimed
        TokensNotStored         tokens were received and could not be staged in time
      InternalError             a defect of this program

A message says what is wrong, where, and what to do. It never holds a secret, nor anything that a provider sent but
an error code of RFC 6749: what is raised is printed by Lambda's runtime.
"""


class TokenRefreshError(Exception):
    """Base of all named failures."""


class ConfigurationError(TokenRefreshError):
    """A setting is missing or wrong; the message names the variable and what it must be."""


class InvalidEvent(TokenRefreshError):
    """The event is not one that the handler knows; the message names the key and what was expected."""


class InvalidSecretDocument(TokenRefreshError):
    """What is stored is not what it should be; the message names the field, never its value."""


class SecretStoreError(TokenRefreshError):
    """Base of what Secrets Manager refuses or can't do; the message has secret, region and action."""


class SecretNotFound(SecretStoreError):
    """There is no such secret in this account and region."""


class SecretEmpty(SecretStoreError):
    """The secret exists and has no value yet."""


class SecretAccessDenied(SecretStoreError):
    """The caller lacks a permission on the secret or its key."""


class SecretStoreUnavailable(SecretStoreError):
    """Secrets Manager can't be reached, throttles, or is at a limit."""


class RefreshError(TokenRefreshError):
    """Base of failures of the refresh itself."""


class ClientRejected(RefreshError):
    """`invalid_client` or `unauthorized_client` (RFC 6749 section 5.2)."""


class ReauthorizationRequired(RefreshError):
    """`invalid_grant` (RFC 6749 section 5.2), confirmed against the stored state."""


class TokenEndpointUnavailable(RefreshError):
    """The token endpoint can't be reached or refuses for now; nothing was redeemed."""


class RefreshOutcomeUnknown(RefreshError):
    """A token request may have been received and no answer came."""


class InvalidTokenResponse(RefreshError):
    """The answer is neither a token response nor an error response of RFC 6749."""


class TokenRequestRejected(RefreshError):
    """The token endpoint refused the request with another RFC 6749 error code."""


class DeadlineExceeded(RefreshError):
    """Too little time is left to redeem and store safely."""


class TokensNotStored(RefreshError):
    """Tokens were received and could not be staged before the deadline."""


class InternalError(TokenRefreshError):
    """A defect of this program: the message says where, never what the data was."""
