"""The one table of causes: error codes of the services and exceptions of the client."""

from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from token_refresh.aws.causes import Cause, FailedCall, failure_of, failure_of_code
from token_refresh.aws.responses import FailedPart, MalformedResponse
from token_refresh_worker.adapters.secrets_manager import swap_refused


def client_error(code: str, message: str = "canary", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetSecretValue")


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("AccessDeniedException", Cause.DENIED),
        ("NotAuthorized", Cause.DENIED),
        ("OptInRequired", Cause.DENIED),
        ("DecryptionFailure", Cause.KEY_DENIED),
        ("EncryptionFailure", Cause.KEY_DENIED),
        ("ExpiredToken", Cause.BAD_CREDENTIALS),
        ("ExpiredTokenException", Cause.BAD_CREDENTIALS),
        ("MissingAuthenticationTokenException", Cause.BAD_CREDENTIALS),
        ("UnrecognizedClientException", Cause.BAD_CREDENTIALS),
        ("RequestTimeTooSkewed", Cause.CLOCK),
        ("RequestExpired", Cause.CLOCK),
        ("ThrottlingException", Cause.THROTTLED),
        ("InternalServiceError", Cause.SERVER_ERROR),
        ("ResourceNotFoundException", Cause.NOT_FOUND),
        ("ParameterNotFound", Cause.NOT_FOUND),
        ("LimitExceededException", Cause.LIMIT),
        ("ValidationException", Cause.OTHER),
        ("SomethingNew", Cause.OTHER),
    ],
)
def test_a_code_has_one_cause(code: str, cause: Cause) -> None:
    """A code means the same for the worker, the reader and the command line."""
    assert FailedCall(cause=cause, code=code) == failure_of(client_error(code))


WHO = "User: arn:aws:sts::123456789012:assumed-role/canary is not authorized to perform: secretsmanager:GetSecretValue"


@pytest.mark.parametrize(
    "said",
    [
        *(
            f"with an explicit deny in {policy}"
            for policy in (
                *("an identity-based policy", "a resource-based policy", "a session policy", "a permissions boundary"),
                *("a service control policy", "a resource control policy", "a VPC endpoint policy"),
            )
        ),
        "because no identity-based policy allows it",
        "because no permissions boundary allows it",
    ],
)
def test_why_a_call_is_denied_is_kept(said: str) -> None:
    """AWS's reason is kept in its own words, and nothing else of its message; a code that is no denial has none."""
    sent = f"{WHO} on resource: canary {said.removesuffix(' it')} the secretsmanager:GetSecretValue action"

    found = failure_of(client_error("AccessDeniedException", sent))

    assert said == str(found.denial)
    assert "AccessDeniedException" == found.code
    assert "canary" not in str(found)
    assert None is failure_of(client_error("ThrottlingException", sent)).denial


@pytest.mark.parametrize("said", ["with an explicit deny in a canary policy", "because no canary allows the action"])
def test_other_words_of_a_denial_are_not_quoted(said: str) -> None:
    """Words that AWS does not document may be anybody's."""
    assert None is failure_of(client_error("AccessDeniedException", f"{WHO} {said}")).denial


@pytest.mark.parametrize(
    ("code", "message", "cause"),
    [
        ("ResourceNotFoundException", "can't find the specified secret.", Cause.NOT_FOUND),
        ("ResourceNotFoundException", "the specified secret value for staging label: AWSCURRENT", Cause.NO_VALUE),
        ("AccessDeniedException", "Access to KMS is not allowed", Cause.KEY_DENIED),
        ("AccessDeniedException", "not authorized to perform: kms:Decrypt on this resource", Cause.KEY_DENIED),
        ("AccessDeniedException", "role/kms-admin may not perform: secretsmanager:GetSecretValue", Cause.DENIED),
        ("InvalidRequestException", "it was marked for deletion", Cause.DELETED),
        ("InvalidParameterException", "it was marked for deletion", Cause.DELETED),
        ("InvalidRequestException", "the KMS key is pending deletion", Cause.BAD_KEY),
        ("InvalidRequestException", "something else", Cause.OTHER),
        ("InvalidSignatureException", "Signature expired: 20261127T1 is now earlier than 20261127T2", Cause.CLOCK),
        ("InvalidSignatureException", "Signature not yet current: 20261127T2 is still later than", Cause.CLOCK),
        ("SignatureDoesNotMatch", "Signature expired: 20261127T1 is now earlier than 20261127T2", Cause.CLOCK),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", Cause.BAD_CREDENTIALS),
        ("SomethingNew", "it was marked for deletion", Cause.OTHER),
    ],
)
def test_the_text_decides_where_a_code_has_two_meanings(code: str, message: str, cause: Cause) -> None:
    """Only the service's text tells a missing value from a missing secret, and a denied key from a denied secret."""
    assert cause is failure_of(client_error(code, message)).cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (exceptions.NoCredentialsError(), Cause.NO_CREDENTIALS),
        (exceptions.ProfileNotFound(profile="nope"), Cause.NO_PROFILE),
        (exceptions.UnauthorizedSSOTokenError(), Cause.SSO_EXPIRED),
        (exceptions.SSOTokenLoadError(error_msg="canary"), Cause.SSO_EXPIRED),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="canary"), Cause.SSO_EXPIRED),
        (exceptions.LoginRefreshRequired(), Cause.LOGIN_EXPIRED),
        (exceptions.NoRegionError(), Cause.NO_REGION),
        (exceptions.ParamValidationError(report="canary"), Cause.BAD_NAME),
        (exceptions.EndpointConnectionError(endpoint_url="canary"), Cause.UNREACHABLE),
        (exceptions.ReadTimeoutError(endpoint_url="canary"), Cause.UNREACHABLE),
        (exceptions.SSLError(endpoint_url="canary", error=OSError()), Cause.UNREACHABLE),
        (ResponseParserError("canary"), Cause.UNREACHABLE),
        (TypeError("canary"), Cause.OTHER),
    ],
)
def test_an_exception_of_the_client_has_one_cause(error: Exception, cause: Cause) -> None:
    """What the client raises itself is named by its class, never by its text."""
    assert FailedCall(cause=cause, code=type(error).__name__) == failure_of(error)


@pytest.mark.parametrize("status", [500, 503])
def test_a_5xx_is_transient_whatever_its_code(status: int) -> None:
    """A server error is transient, and one that is throttling stays throttling."""
    assert Cause.SERVER_ERROR is failure_of(client_error("Mystery", status=status)).cause
    assert Cause.THROTTLED is failure_of(client_error("ThrottlingException", status=status)).cause


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
@given(code=st.text() | st.none() | st.integers())
def test_no_stranger_chooses_what_is_quoted(code: object) -> None:
    """A code is quoted only if it looks like one: at most 64 letters, digits, dots and underscores."""
    quoted = failure_of_code(code).code
    assert quoted in (code, "an unknown error code")
    assert quoted.replace(" ", "").replace("_", "").replace(".", "").isalnum()
    assert len(quoted) <= 64


@pytest.mark.parametrize("response", [{}, {"Error": None}, {"Error": "x", "ResponseMetadata": []}])
def test_a_malformed_response_is_a_failure_like_any_other(response: Any) -> None:
    """An error response without its usual parts has an unknown code and no cause."""
    error = client_error("x")
    error.response = response
    assert FailedCall(cause=Cause.OTHER, code="an unknown error code") == failure_of(error)


def test_a_part_that_failed_has_a_code_of_its_own() -> None:
    """A call that succeeds may have failed in part; the part's code means what it means anywhere."""
    assert FailedCall(cause=Cause.THROTTLED, code="ThrottlingException") == failure_of(
        FailedPart("ThrottlingException")
    )
    assert FailedCall(cause=Cause.MALFORMED, code="Date") == failure_of(MalformedResponse("Date"))


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("KMS.AccessDeniedException", Cause.KEY_DENIED),
        ("InvalidKeyUsageException", Cause.BAD_KEY),
        ("NotFoundException", Cause.NOT_FOUND),
        ("KMS.DisabledException", Cause.KEY_DENIED),
        ("KMS.ThrottlingException", Cause.THROTTLED),
        ("AWS.SimpleQueueService.NonExistentQueue", Cause.NOT_FOUND),
    ],
)
def test_queues_and_keys_have_codes_of_their_own(code: str, cause: Cause) -> None:
    """SQS says in its own codes that the queue is missing, or what KMS says of its key; KMS has others for its own."""
    assert cause is failure_of_code(code).cause


@pytest.mark.parametrize("code", ["InvalidParameterException", "InvalidRequestException"])
def test_a_moved_label_is_a_lost_swap_and_a_deleted_secret_is_not(code: str) -> None:
    """Either code says that the label has moved, unless the secret is being deleted."""
    assert swap_refused(failure_of(client_error(code)))
    assert not swap_refused(failure_of(client_error(code, "it is marked for deletion")))
    assert not swap_refused(failure_of(client_error("AccessDeniedException")))
