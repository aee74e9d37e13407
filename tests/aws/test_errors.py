"""The named errors of failed calls: what failed, why, and what to do."""

import pytest

from token_refresh.aws.causes import Cause, Denial, FailedCall
from token_refresh.aws.errors import named_error
from token_refresh.aws.request import AwsRequest
from token_refresh.errors import (
    ConfigurationError,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
    TokenRefreshError,
)
from token_refresh_worker.adapters.table import with_whereabouts

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tokens-AbCdEf"


def message(cause: Cause, *, name: str = "my tokens", setting: str | None = None, kind: str = "secret") -> str:
    return str(error(cause, name=name, setting=setting, kind=kind))


def error(
    cause: Cause, *, name: str = "my tokens", setting: str | None = None, kind: str = "secret"
) -> TokenRefreshError:
    action = "secretsmanager:GetSecretValue" if kind == "secret" else "ssm:GetParameters"
    request = with_whereabouts(AwsRequest(action=action, name=name, region="eu-central-1", setting=setting, kind=kind))
    return named_error(FailedCall(cause=cause, code="SomeCode"), request)


@pytest.mark.parametrize(
    ("cause", "raised"),
    [
        (Cause.NOT_FOUND, SecretNotFound),
        (Cause.NO_VALUE, SecretEmpty),
        (Cause.DELETED, SecretNotFound),
        (Cause.DENIED, SecretAccessDenied),
        (Cause.KEY_DENIED, SecretAccessDenied),
        (Cause.BAD_CREDENTIALS, SecretAccessDenied),
        (Cause.NO_CREDENTIALS, SecretAccessDenied),
        (Cause.THROTTLED, SecretStoreUnavailable),
        (Cause.SERVER_ERROR, SecretStoreUnavailable),
        (Cause.UNREACHABLE, SecretStoreUnavailable),
        (Cause.LIMIT, SecretStoreUnavailable),
        (Cause.OTHER, SecretStoreUnavailable),
    ],
)
def test_a_message_names_secret_region_and_action(cause: Cause, raised: type[TokenRefreshError]) -> None:
    """Each cause has its error, and each message says which call on which secret in which region failed."""
    failed = error(cause)
    assert raised is type(failed)
    for named in ("secret my tokens in eu-central-1", "secretsmanager:GetSecretValue"):
        assert named in str(failed)


def test_a_key_that_kms_refuses() -> None:
    """A value whose key KMS refuses, without the right or disabled, is told from one that its own policy denies."""
    by_key = {cause for cause in Cause if isinstance(found := error(cause), SecretAccessDenied) and found.by_key}

    assert {Cause.KEY_DENIED, Cause.BAD_KEY} == by_key


@pytest.mark.parametrize(
    ("policy", "explicit", "remedy"),
    [
        ("service control policy", True, "Ask the administrators of your AWS organization to remove that deny there"),
        ("resource control policy", False, "organization to allow secretsmanager:GetSecretValue there"),
        ("resource-based policy", True, "in the secret's own policy: `aws secretsmanager get-resource-policy"),
        ("session policy", False, "in the session's policy: sign in with another role"),
        ("VPC endpoint policy", True, "in the policy of the VPC endpoint that the request goes through"),
        ("permissions boundary", False, "in the permissions boundary of the caller's role"),
        ("identity-based policy", True, "remove that deny in the caller's own policies"),
        ("identity-based policy", False, "allow this action on this secret for the caller's role"),
    ],
)
@pytest.mark.parametrize("cause", [Cause.DENIED, Cause.KEY_DENIED])
def test_a_denial_says_which_policy_to_change(cause: Cause, policy: str, *, explicit: bool, remedy: str) -> None:
    """The remedy fits AWS's reason: what an organization denies, no policy of the account allows."""
    if cause is Cause.KEY_DENIED and policy == "identity-based policy" and not explicit:
        remedy = "the caller's role needs kms:Decrypt on that key"
    request = AwsRequest(action="secretsmanager:GetSecretValue", name="tokens", region="eu-central-1")
    denial = Denial(policy, explicit)
    said = str(named_error(FailedCall(cause=cause, code="SomeCode", denial=denial), request))

    assert f"{denial} (SomeCode)" in said
    assert remedy in said


@pytest.mark.parametrize("cause", [Cause.NOT_FOUND, Cause.DENIED])
def test_an_arn_of_another_region_is_pointed_out(cause: Cause) -> None:
    """An ARN of another region than the call's explains both a missing and a denied secret."""
    assert "the ARN belongs to us-east-1, and the request went to eu-central-1: set AWS_REGION=us-east-1" in message(
        cause, name=ARN
    )
    assert "belongs to" not in message(cause, name=ARN.replace("us-east-1", "eu-central-1"))


def test_a_missing_parameter_is_looked_up_in_parameter_store() -> None:
    """A parameter is named as one, and so is the command that looks it up."""
    said = message(Cause.NOT_FOUND, name="/app/dev/key", kind="parameter")
    assert "parameter /app/dev/key in eu-central-1 was not found (ssm:GetParameters)" in said
    assert "`aws ssm get-parameters --names /app/dev/key --region eu-central-1`" in said


def test_a_name_that_can_not_be_one_is_a_wrong_setting() -> None:
    """A name that the client refuses to send, or a missing region, is a configuration error."""
    assert isinstance(error(Cause.BAD_NAME, name=""), ConfigurationError)
    assert "'' can't be the name or ARN of a secret: correct it" == message(Cause.BAD_NAME, name="")
    assert "correct CLIENT_SECRET_ID" in message(Cause.BAD_NAME, name="", setting="CLIENT_SECRET_ID")
    assert isinstance(error(Cause.NO_REGION), ConfigurationError)


@pytest.mark.parametrize("cause", [Cause.KEY_DENIED, Cause.BAD_KEY])
def test_a_refused_key(cause: Cause) -> None:
    """It is refused to a role without the right, and to everybody while it is disabled: nobody is told to allow it."""
    said = message(cause, name="tokens")

    assert "allow" not in said
    assert "If it may both, the key is disabled or waits for its deletion" in said
    assert "`aws secretsmanager list-secret-version-ids --include-deprecated --secret-id tokens --region eu-c" in said


@pytest.mark.parametrize(
    ("kind", "cause", "raised", "says"),
    [
        (
            "table",
            Cause.NOT_FOUND,
            ConfigurationError,
            "table mine in eu-central-1 does not exist (ssm:GetParameters). Set CLAIM_TABLE",
        ),
        ("fleet table", Cause.NOT_FOUND, ConfigurationError, "Check the fleet's name, and set AWS_REGION"),
        ("queue", Cause.NOT_FOUND, ConfigurationError, "Check its name, account and region"),
        (
            "function",
            Cause.NOT_FOUND,
            ConfigurationError,
            "`aws lambda list-functions --query 'Functions[].FunctionName' --region eu-central-1`",
        ),
        ("key", Cause.BAD_KEY, ConfigurationError, "check that the key (CLIENT_KEY_ID) is enabled"),
        ("event bus", Cause.LIMIT, SecretStoreUnavailable, "reached a limit of the service (SomeCode)"),
        ("queue", Cause.DENIED, SecretAccessDenied, "was denied (SomeCode): allow this action for the caller's role"),
        ("queue", Cause.KEY_DENIED, SecretAccessDenied, "kms:GenerateDataKey to write"),
        ("table", Cause.BAD_NAME, ConfigurationError, "'' can't be the name of a table: correct CLIENT_KEY_ID"),
    ],
)
def test_other_things_than_secrets_have_their_own_advice(
    kind: str, cause: Cause, raised: type[TokenRefreshError], says: str
) -> None:
    """A table, queue, bus, function or key that is missing is a wrong setting; none of them has versions."""
    name = "" if cause is Cause.BAD_NAME else "mine"
    failed = error(cause, name=name, kind=kind, setting="CLIENT_KEY_ID")
    assert raised is type(failed)
    assert says in str(failed)
    assert "token-refresh" not in str(failed)


def test_a_call_names_what_it_is_for() -> None:
    """A claim table serves many secrets, and a message names the one; a call about everything has no name."""
    table = AwsRequest("dynamodb:GetItem", "claims", "eu-central-1", "table", purpose="secret tokens")
    assert "table claims in eu-central-1 for secret tokens" == table.place
    assert "all secrets in eu-central-1" == AwsRequest("a:B", "", "eu-central-1", "all secrets").place
    assert "queue https://queue" == AwsRequest("sqs:SendMessage", "https://queue", "", "queue").place
