"""The one way to call AWS: what it raises, and what an error holds."""

import traceback
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from token_refresh.aws.calls import CallFailed, call
from token_refresh.aws.causes import Cause, FailedCall
from token_refresh.aws.request import AwsRequest
from token_refresh.errors import (
    ConfigurationError,
    SecretAccessDenied,
    SecretEmpty,
    TableUnavailable,
    TokenRefreshError,
)

REQUEST = AwsRequest("dynamodb:Query", "t", "eu-central-1", "table")


def service_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, "Operation")


def refuse(error: Exception) -> Any:
    response = "canary"

    def ask() -> None:
        raise error

    assert response
    return ask


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (service_error("AccessDeniedException"), SecretAccessDenied),
        (service_error("ResourceNotFoundException"), ConfigurationError),
        (service_error("ProvisionedThroughputExceededException"), TableUnavailable),
        (EndpointConnectionError(endpoint_url="https://canary"), TableUnavailable),
        (AttributeError("canary"), TableUnavailable),
    ],
)
def test_failures_are_named(error: Exception, named: type[TokenRefreshError]) -> None:
    """Whatever a client or its parser raises is a named error with action and place, and without the text it had."""
    with pytest.raises(named, match=r"^(dynamodb:Query on )?table t in eu-central-1 ") as raised:
        call(refuse(error), lambda: REQUEST)

    assert "canary" not in str(raised.value)
    assert (None, None) == (raised.value.__cause__, raised.value.__context__)


@pytest.mark.parametrize("error", [service_error("AccessDeniedException"), SecretEmpty("named")])
@pytest.mark.parametrize("expected", [False, True])
def test_no_frame_of_an_error_holds_a_response(error: Exception, *, expected: bool) -> None:
    """Error reporters print the variables of each frame: what was read is in none of them."""

    def ask() -> None:
        response = "canary"
        assert response
        raise error

    with pytest.raises((TokenRefreshError, CallFailed)) as raised:
        call(ask, lambda: REQUEST, expected=lambda _: expected)

    frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
    assert ask.__code__ not in [frame.f_code for frame in frames]


def test_an_expected_failure_is_given_to_the_caller() -> None:
    """A failure that the caller expects is not named: the caller decides what it means."""
    with pytest.raises(CallFailed) as raised:
        call(refuse(service_error("Expected")), lambda: REQUEST, expected=lambda failure: failure.code == "Expected")
    assert FailedCall(cause=Cause.OTHER, code="Expected") == raised.value.failure

    with pytest.raises(CallFailed):
        call(refuse(KeyError("canary")), lambda: REQUEST, expected=lambda _: True)


def test_what_the_reader_of_a_response_names_stays() -> None:
    """An error that has its name already is raised as it is, expected or not."""
    with pytest.raises(SecretEmpty, match=r"^nothing there$"):
        call(refuse(SecretEmpty("nothing there")), lambda: REQUEST, expected=lambda _: True)
