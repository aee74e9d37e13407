"""Why a call to AWS failed, by error code: one table for all callers.

See https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html and each action's own page.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from token_refresh.aws.responses import FailedPart, MalformedResponse, service_time


class Cause(Enum):
    """Why a call failed."""

    NOT_FOUND = auto()
    NO_VALUE = auto()
    """The secret exists; the version or the label does not."""
    DELETED = auto()
    """Marked for deletion, and still restorable."""
    DENIED = auto()
    KEY_DENIED = auto()
    BAD_KEY = auto()
    """The key is disabled, or of another type."""
    BAD_CREDENTIALS = auto()
    SSO_EXPIRED = auto()
    """Nobody is signed in, or no longer, through IAM Identity Center."""
    LOGIN_EXPIRED = auto()
    """Likewise with `aws login`."""
    CLOCK = auto()
    """The request was signed by a clock that is off."""
    NO_CREDENTIALS = auto()
    NO_REGION = auto()
    NO_PROFILE = auto()
    BAD_CONFIGURATION = auto()
    """No client can be made of the region, the endpoint or the AWS files."""
    BAD_NAME = auto()
    """The client refused to send the request."""
    THROTTLED = auto()
    SERVER_ERROR = auto()
    UNREACHABLE = auto()
    MALFORMED = auto()
    """The response lacks a member; the code names it."""
    NO_IDENTITY_TOKENS = auto()
    """The account has not enabled outbound federation."""
    LIMIT = auto()
    OTHER = auto()

    @property
    def is_denial(self) -> bool:
        """Whether the caller lacks a permission or valid credentials."""
        return self in {Cause.DENIED, Cause.KEY_DENIED, Cause.NO_CREDENTIALS} | _UNUSABLE


_UNUSABLE: Final = {Cause.BAD_CREDENTIALS, Cause.SSO_EXPIRED, Cause.LOGIN_EXPIRED, Cause.CLOCK}
"""The causes of credentials that are there, and that AWS does not take."""


class Denial(NamedTuple):
    """Why AWS denied a call, by its own words (IAM User Guide, "Access denied error messages")."""

    policy: str
    """The kind of policy, such as `service control policy`."""
    explicit: bool
    """Whether such a policy denies the call; else none allows it."""

    def __str__(self) -> str:
        """Write it as AWS does."""
        if not self.explicit:
            return f"because no {self.policy} allows it"
        return f"with an explicit deny in {'an' if self.policy.startswith('i') else 'a'} {self.policy}"


class FailedCall(NamedTuple):
    """A failed call; nothing in it was sent by the service but a well-formed error code, and words of a closed list."""

    cause: Cause
    code: str
    at: datetime | None = None
    """When the service refused, by its own clock."""
    denial: Denial | None = None


# Error codes of the services, then exceptions of botocore: a class stands for its subclasses, too. Services with JSON
# protocols add "Exception" to the codes of the others.
_CAUSES: Final[Mapping[str, Cause]] = {
    "AccessDenied": Cause.DENIED,
    "AWS.SimpleQueueService.NonExistentQueue": Cause.NOT_FOUND,
    "DecryptionFailure": Cause.KEY_DENIED,
    "DisabledException": Cause.BAD_KEY,
    "EncryptionFailure": Cause.KEY_DENIED,
    "ExpiredToken": Cause.BAD_CREDENTIALS,
    "IncompleteSignature": Cause.BAD_CREDENTIALS,
    "InternalFailure": Cause.SERVER_ERROR,
    "InternalServerError": Cause.SERVER_ERROR,
    "InternalServiceError": Cause.SERVER_ERROR,
    "IncorrectKeyException": Cause.BAD_KEY,
    "InvalidCiphertextException": Cause.BAD_KEY,
    "InvalidClientTokenId": Cause.BAD_CREDENTIALS,
    "InvalidKeyId": Cause.KEY_DENIED,
    "InvalidKeyUsageException": Cause.BAD_KEY,
    "InvalidSignatureException": Cause.BAD_CREDENTIALS,
    "KMSInvalidStateException": Cause.BAD_KEY,
    "LimitExceededException": Cause.LIMIT,
    "MissingAuthenticationToken": Cause.BAD_CREDENTIALS,
    "NotAuthorized": Cause.DENIED,
    "NotFoundException": Cause.NOT_FOUND,
    "OptInRequired": Cause.DENIED,
    "OutboundWebIdentityFederationDisabledException": Cause.NO_IDENTITY_TOKENS,
    "ParameterNotFound": Cause.NOT_FOUND,
    "ProvisionedThroughputExceededException": Cause.THROTTLED,
    "QueueDoesNotExist": Cause.NOT_FOUND,
    "RequestExpired": Cause.CLOCK,
    "RequestLimitExceeded": Cause.THROTTLED,
    "RequestTimeTooSkewed": Cause.CLOCK,
    "RequestTimeout": Cause.SERVER_ERROR,
    "ResourceNotFoundException": Cause.NOT_FOUND,
    "ServiceUnavailable": Cause.SERVER_ERROR,
    "SignatureDoesNotMatch": Cause.BAD_CREDENTIALS,
    "ThrottledException": Cause.THROTTLED,
    "Throttling": Cause.THROTTLED,
    "TooManyRequestsException": Cause.THROTTLED,
    "UnrecognizedClientException": Cause.BAD_CREDENTIALS,
    "BotoCoreError": Cause.UNREACHABLE,
    "CredentialRetrievalError": Cause.NO_CREDENTIALS,
    "LoginError": Cause.LOGIN_EXPIRED,
    "NoCredentialsError": Cause.NO_CREDENTIALS,
    "NoRegionError": Cause.NO_REGION,
    "ParamValidationError": Cause.BAD_NAME,
    "PartialCredentialsError": Cause.NO_CREDENTIALS,
    "ProfileNotFound": Cause.NO_PROFILE,
    "ResponseParserError": Cause.UNREACHABLE,
    "SSOError": Cause.SSO_EXPIRED,
    "TokenRetrievalError": Cause.SSO_EXPIRED,
}

# Longer or stranger text may hold anything: a proxy or an endpoint of someone else chooses it.
_QUOTABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")

# Signature Version 4: "Signature expired: ... is now earlier than ...", "Signature not yet current: ...".
_SKEW: Final = re.compile(r"\bSignature (expired|not yet current)\b")

_DENIAL: Final = re.compile(
    r"\b(?:(with an explicit deny) in an?|because no) ((?:identity-based|resource-based|session|service control|"
    r"resource control|VPC endpoint) policy|permissions boundary)\b"
)
_KEY: Final = re.compile(r"\bkms:|\bKMS\b")


def failure_of(error: Exception) -> FailedCall:
    """Find the cause of what a client of botocore or boto3 raised."""
    if isinstance(error, MalformedResponse):
        return FailedCall(cause=Cause.MALFORMED, code=error.member)
    if isinstance(error, FailedPart):
        return failure_of_code(error.code)
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        detail, metadata = _mapping(response, "Error"), _mapping(response, "ResponseMetadata")
        failure = failure_of_code(detail.get("Code"), detail.get("Message"), metadata.get("HTTPStatusCode"))
        with suppress(MalformedResponse):
            failure = failure._replace(at=service_time(response))
        return failure
    # By name, so that nobody has to load botocore to look a cause up.
    names = [parent.__name__ for parent in type(error).__mro__]
    return FailedCall(cause=next((_CAUSES[name] for name in names if name in _CAUSES), Cause.OTHER), code=names[0])


def failure_of_code(code: object, message: object = None, status: object = None) -> FailedCall:
    """Find the cause of an error response. Of the service's text, only known words are read."""
    quotable = isinstance(code, str) and _QUOTABLE.fullmatch(code) is not None
    quoted = str(code) if quotable else "an unknown error code"
    cause = _CAUSES.get(quoted, _CAUSES.get(quoted.removesuffix("Exception"), Cause.OTHER))
    # The status counts more than the code: a proxy's 502 has none that AWS knows.
    if isinstance(status, int) and status >= 500 and cause is not Cause.THROTTLED:  # noqa: PLR2004 - RFC 9110
        cause = Cause.SERVER_ERROR
    text = message if isinstance(message, str) else ""
    if cause is Cause.OTHER and quoted.startswith("KMS."):  # what SQS says of a queue's key
        cause = Cause.THROTTLED if quoted == "KMS.ThrottlingException" else Cause.KEY_DENIED
    refused = code in {"InvalidRequestException", "InvalidParameterException"}
    if cause is Cause.NOT_FOUND and "specified secret value" in text:
        cause = Cause.NO_VALUE
    elif cause is Cause.BAD_CREDENTIALS and _SKEW.search(text):
        cause = Cause.CLOCK
    elif cause is Cause.DENIED and _KEY.search(text):
        cause = Cause.KEY_DENIED
    elif cause is Cause.OTHER and refused and _KEY.search(text):
        cause = Cause.BAD_KEY  # A key can be pending deletion, too.
    elif cause is Cause.OTHER and refused and "deletion" in text:
        cause = Cause.DELETED
    found = _DENIAL.search(text) if cause.is_denial else None
    return FailedCall(cause=cause, code=quoted, denial=Denial(found[2], found[1] is not None) if found else None)


def _mapping(response: dict[str, Any], key: str) -> Mapping[str, Any]:
    found = response.get(key)
    return found if isinstance(found, dict) else {}
