"""What Secrets Manager refuses, by error code, as the errors of this program.

See https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html and each action's own page.
"""

from typing import Final

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from token_refresh.errors import (
    ConfigurationError,
    SecretAccessDenied,
    SecretNotFound,
    SecretStoreUnavailable,
    TokenRefreshError,
)

_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "DecryptionFailure",
        "EncryptionFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_PASSES: Final = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "InternalServiceErrorException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
_NO_CREDENTIALS: Final = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)


class Refused(Exception):  # noqa: N818 - it never leaves the adapter
    """A call failed; the code says how."""

    def __init__(self, error: Exception, code: str) -> None:
        super().__init__(code)
        self.error = error
        self.code = code

    @staticmethod
    def of(error: Exception, *, after_write: bool = False) -> "Refused":
        """Tell what passes from what doesn't.

        A version that was written a moment ago has been seen to be unknown to the next call: moving a label there is
        repeated.
        """
        code = code_of(error)
        if isinstance(error, ClientError):
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            passes = code in _PASSES or status >= 500 or (after_write and code == "ResourceNotFoundException")  # noqa: PLR2004 - RFC 9110
        else:
            passes = not isinstance(error, (*_NO_CREDENTIALS, ParamValidationError))
        return (Transient if passes else Refused)(error, code)


class Transient(Refused):
    """The same call may succeed in a moment; what it did, if anything, is not known."""


def code_of(error: Exception) -> str:
    """Give the service's error code, or the kind of failure."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__


def missing_value(error: Exception) -> bool:
    """Whether the secret is there and the version or label isn't; only the text tells these apart."""
    return "specified secret value" in str(error)


def refused(error: Exception) -> bool:
    """Whether a label was not where it was expected."""
    return code_of(error) in {"InvalidParameterException", "InvalidRequestException"} and "deletion" not in str(error)


def translate(  # noqa: PLR0911 - one a kind of refusal
    error: Exception, *, action: str, secret_id: str, region: str
) -> TokenRefreshError:
    """Give the named error, with the secret, the region, the action and what to do."""
    code, where = code_of(error), f"secret {secret_id} in {region}"
    if isinstance(error, _NO_CREDENTIALS):
        return SecretAccessDenied(
            f"no AWS credentials were found for secretsmanager:{action} on {where} ({code}); "
            "give the function its role, or set up credentials (AWS_PROFILE, aws configure)"
        )
    if isinstance(error, ParamValidationError):
        return ConfigurationError(
            f"{secret_id} can't be a secret's name or ARN; set TOKEN_SECRET_ID, or the event's secret_id"
        )
    if code in _DENIED:
        key = " and, where the secret has a KMS key of its own, kms:Decrypt and kms:GenerateDataKey on that key"
        return SecretAccessDenied(
            f"secretsmanager:{action} on {where} was refused ({code}); the caller's role needs that action on the "
            f"secret's ARN{key}"
        )
    if code == "ResourceNotFoundException":
        return SecretNotFound(f"{where} was not found (secretsmanager:{action}); {_where_else(secret_id, region)}")
    if code == "InvalidRequestException" and "deletion" in str(error):
        return SecretNotFound(
            f"{where} is marked for deletion (secretsmanager:{action}); bring it back with "
            f"`aws secretsmanager restore-secret --secret-id {secret_id} --region {region}`"
        )
    if code == "LimitExceededException":
        return SecretStoreUnavailable(
            f"{where} is at a limit of Secrets Manager (secretsmanager:{action}, {code}); nothing was redeemed. "
            "Versions without labels go after 24 hours; look at who else writes to the secret"
        )
    return SecretStoreUnavailable(f"secretsmanager:{action} on {where} failed ({code}); nothing stored was lost")


def _where_else(secret_id: str, region: str) -> str:
    parts = secret_id.split(":")
    if secret_id.startswith("arn:") and len(parts) > 3 and parts[3] != region:  # noqa: PLR2004 - arn:partition:service:region
        return f"its ARN is of region {parts[3]} and the call went to {region}: set AWS_REGION"
    return "check TOKEN_SECRET_ID and AWS_REGION, or create it with `token-refresh authorize`"
