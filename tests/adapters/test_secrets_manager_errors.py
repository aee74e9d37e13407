"""What Secrets Manager refuses, as errors of this program: which, what they say, and what is tried again."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from token_refresh.adapters.secrets_manager_errors import Refused, Transient, code_of, refused, translate
from token_refresh.errors import SecretAccessDenied, SecretNotFound, SecretStoreError, SecretStoreUnavailable


def client_error(code: str, message: str = "canary", status: int = 400) -> Exception:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetSecretValue")


def refusal(code: str, message: str = "canary", *, secret_id: str = "tokens") -> Exception:  # noqa: S107 - a name
    return translate(client_error(code, message), action="GetSecretValue", secret_id=secret_id, region="eu-central-1")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDeniedException", SecretAccessDenied),
        ("UnrecognizedClientException", SecretAccessDenied),
        ("ExpiredTokenException", SecretAccessDenied),
        ("DecryptionFailure", SecretAccessDenied),
        ("ResourceNotFoundException", SecretNotFound),
        ("LimitExceededException", SecretStoreUnavailable),
        ("ValidationException", SecretStoreUnavailable),
        ("SomethingNew", SecretStoreUnavailable),
    ],
)
def test_every_code_has_an_error_that_quotes_nothing(code: str, error: type[SecretStoreError]) -> None:
    """Each refusal is a named error with secret, region and action; the service's text may quote what it was sent."""
    translated = refusal(code)

    assert error is type(translated)
    assert "canary" not in str(translated)
    for named in ("tokens", "eu-central-1", "secretsmanager:GetSecretValue"):
        assert named in str(translated)


def test_missing_credentials_are_a_refusal() -> None:
    """Without AWS credentials the error says how to get some, and the call is not repeated."""
    error = NoCredentialsError()

    translated = translate(error, action="GetSecretValue", secret_id="tokens", region="eu-central-1")

    assert SecretAccessDenied is type(translated)
    assert "no AWS credentials were found" in str(translated)
    assert not isinstance(Refused.of(error), Transient)


def test_a_server_error_of_any_name_passes() -> None:
    """A 5xx is repeated whatever its code, and a code that is missing is called unknown."""
    assert isinstance(Refused.of(client_error("Mystery", status=500)), Transient)
    assert not isinstance(Refused.of(client_error("Mystery")), Transient)
    error: Any = client_error("x")
    error.response = {}
    assert ("unknown", False) == (code_of(error), isinstance(Refused.of(error), Transient))


@pytest.mark.parametrize("code", ["InvalidParameterException", "InvalidRequestException"])
def test_a_label_elsewhere_is_a_lost_swap_and_a_deleted_secret_is_not(code: str) -> None:
    """Either code says that a label is elsewhere, unless the secret is being deleted: that is no swap that was lost."""
    assert refused(client_error(code))
    assert not refused(client_error(code, "it is marked for deletion"))


def test_a_refusal_says_what_to_do_only_where_that_is_known() -> None:
    """A secret at its limit says whom to look for; one that is not being deleted can't be restored."""
    advice = [str(refusal(code)) for code in ("LimitExceededException", "InvalidRequestException")]

    assert ["is at a limit" in said for said in advice] == [True, False]
    assert "restore-secret" not in "".join(advice)


def test_an_arn_of_the_very_region_is_advised_on_like_a_name() -> None:
    """Where the ARN's region is the one that was asked, the setting is what to check."""
    assert "check TOKEN_SECRET_ID" in str(refusal("ResourceNotFoundException", secret_id="arn:aws:x:eu-central-1:1:a"))
