"""Secrets: how a missing one, an empty one and one without the value asked for are distinguished."""

from collections.abc import Callable
from typing import Any

import pytest

from conformance.actions import holders, put, refusal, value_by_label
from conformance.backends import Backend

MISSING = "token-refresh-conformance-missing"


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get_secret_value(SecretId=MISSING),
        lambda client: value_by_label(client, MISSING, "REFRESH_CLAIM"),
        lambda client: put(client, MISSING, "value"),
    ],
    ids=["read", "read by label", "put"],
)
def test_a_missing_secret_is_refused(backend: Backend, call: Callable[[Any], object]) -> None:
    """A read of a secret that isn't there, also by a label, and a put are refused in the service's own words."""
    with refusal() as refused:
        call(backend.client)

    assert "ResourceNotFoundException" == refused.code
    assert "Secrets Manager can't find the specified secret." == refused.message


@pytest.mark.moto_differs("responds with HTTP 404")
def test_what_is_missing_is_a_bad_request(backend: Backend, secret: str) -> None:
    """A missing secret and a missing label are both HTTP 400: the status says nothing."""
    with refusal() as missing_secret:
        value_by_label(backend.client, MISSING, "REFRESH_CLAIM")
    with refusal() as missing_label:
        value_by_label(backend.client, secret, "REFRESH_CLAIM")

    assert (400, 400) == (missing_secret.status, missing_label.status)


@pytest.mark.moto_differs("says that the secret is missing")
def test_an_empty_secret_has_no_current_value(backend: Backend, empty_secret: str) -> None:
    """A secret without a version differs from a missing one in the text alone."""
    with refusal() as refused:
        value_by_label(backend.client, empty_secret, "AWSCURRENT")

    assert "ResourceNotFoundException" == refused.code
    assert "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT" == refused.message


def test_an_empty_secret_has_no_labels(backend: Backend, empty_secret: str) -> None:
    """A secret without a version exists and has no labels; the first plain put is current, and nothing is previous."""
    assert empty_secret == backend.client.describe_secret(SecretId=empty_secret)["Name"]
    assert {} == holders(backend.client, empty_secret)

    first = put(backend.client, empty_secret, "first")

    assert {"AWSCURRENT": first} == holders(backend.client, empty_secret)


def test_a_secret_is_found_by_name_and_arn(backend: Backend, secret: str) -> None:
    """A secret is found by its name and by its ARN, which ends in six more characters."""
    arn = backend.client.describe_secret(SecretId=secret)["ARN"]

    found = backend.client.get_secret_value(SecretId=arn)

    assert (arn, secret, "first") == (found["ARN"], found["Name"], found["SecretString"])
    prefix, _, suffix = arn.rpartition("-")
    assert prefix.startswith(f"arn:aws:secretsmanager:{backend.region}:")
    assert prefix.endswith(f":secret:{secret}")
    assert 6 == len(suffix)


def test_a_secret_is_in_one_region(backend: Backend, secret: str) -> None:
    """A secret is missing, and not merely empty, in every region but its own."""
    elsewhere = backend.client_for("us-west-2" if backend.region != "us-west-2" else "us-east-1")

    with refusal() as refused:
        elsewhere.get_secret_value(SecretId=secret)

    assert "Secrets Manager can't find the specified secret." == refused.message


def test_a_secret_is_created_once(backend: Backend, secret: str) -> None:
    """Creating a secret whose name is taken is refused, and the first one stays."""
    with refusal() as refused:
        backend.client.create_secret(Name=secret, SecretString="second")

    assert "ResourceExistsException" == refused.code
    assert "first" == value_by_label(backend.client, secret, "AWSCURRENT")


def test_a_deleted_secret_is_refused(backend: Backend, secret: str) -> None:
    """A secret that is scheduled for deletion is neither missing nor readable."""
    backend.client.delete_secret(SecretId=secret, RecoveryWindowInDays=7)

    with refusal() as refused:
        value_by_label(backend.client, secret, "AWSCURRENT")

    assert "InvalidRequestException" == refused.code


def test_a_batch_has_values_and_errors(backend: Backend, secret: str) -> None:
    """A batch returns the values that there are, and an error for each secret that is missing."""
    response = backend.client.batch_get_secret_value(SecretIdList=[secret, MISSING])

    assert [(secret, "first")] == [(value["Name"], value["SecretString"]) for value in response["SecretValues"]]
    assert [(MISSING, "ResourceNotFoundException")] == [
        (error["SecretId"], error["ErrorCode"]) for error in response["Errors"]
    ]


def test_a_secret_is_tagged(backend: Backend, secret: str) -> None:
    """Tags are added to those that a secret has, and can be read."""
    backend.client.tag_resource(SecretId=secret, Tags=[{"Key": "one", "Value": "1"}])
    backend.client.tag_resource(SecretId=secret, Tags=[{"Key": "two", "Value": "2"}])

    tags = backend.client.describe_secret(SecretId=secret)["Tags"]

    assert {"one": "1", "two": "2"} == {tag["Key"]: tag["Value"] for tag in tags}
