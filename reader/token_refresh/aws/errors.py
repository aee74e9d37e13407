"""The named error of each failed call: what failed, why, and the command that fixes it."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from token_refresh.advice import Advice, Command
from token_refresh.aws.causes import Cause, FailedCall
from token_refresh.aws.request import STORED, AwsRequest, how_to_store, what_to_allow, where_else, whose_policy
from token_refresh.errors import (
    ConfigurationError,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
    TableUnavailable,
    TokenRefreshError,
)


class _ErrorText(NamedTuple):
    raised: type[TokenRefreshError]
    what: str
    """`named_error` fills the braces."""
    fix: str | Advice | Callable[[AwsRequest], str | Advice]


def _restore(request: AwsRequest) -> Advice:
    return "restore it with ", request.command("aws secretsmanager restore-secret --secret-id {}", request.name)


def _who_else(request: AwsRequest) -> Advice:
    history = request.command("token-refresh history {}", request.name)
    return "AWS deletes versions without labels after 24 hours. Find out who else writes to this secret with ", history


def _correct(request: AwsRequest) -> str:
    return f"correct {request.setting or 'it'}"


def _check_key(request: AwsRequest) -> str:
    return f"check that the key ({request.setting}) is enabled, and of a type for this use"


def _key_refused(request: AwsRequest) -> Advice:
    needs = (
        "the caller's role needs kms:Decrypt on that key, and kms:GenerateDataKey to write. If it may both, the key is "
        "disabled or waits for its deletion: enable it, or cancel that"
    )
    if request.kind != "secret":
        return (needs,)
    keys = request.command(
        "aws secretsmanager list-secret-version-ids --include-deprecated --secret-id {}", request.name
    )
    return needs, ". ", keys, " shows the key of each version"


_KEY_REFUSED: Final = _ErrorText(SecretAccessDenied, "{call} could not use its KMS key{denial} ({code})", _key_refused)

_SIGNED_OUT: Final = "{call} failed because the sign-in of this AWS profile has expired ({code})"

_MESSAGES: Final[Mapping[Cause, _ErrorText]] = {
    Cause.NOT_FOUND: _ErrorText(SecretNotFound, "{place} was not found ({action})", where_else),
    Cause.NO_VALUE: _ErrorText(SecretEmpty, "{place} has no current value ({action})", how_to_store),
    Cause.DELETED: _ErrorText(SecretNotFound, "{place} is marked for deletion ({action})", _restore),
    Cause.DENIED: _ErrorText(SecretAccessDenied, "{call} was denied{denial} ({code})", what_to_allow),
    Cause.KEY_DENIED: _KEY_REFUSED,
    Cause.BAD_KEY: _KEY_REFUSED,
    Cause.BAD_CREDENTIALS: _ErrorText(
        SecretAccessDenied,
        "{call} failed because the AWS credentials are invalid or expired ({code})",
        (
            *("renew them with ", Command.of("aws sso login"), " or ", Command.of("aws login")),
            ", or check AWS_PROFILE and this machine's clock",
        ),
    ),
    Cause.SSO_EXPIRED: _ErrorText(SecretAccessDenied, _SIGNED_OUT, ("sign in again: ", Command.of("aws sso login"))),
    Cause.LOGIN_EXPIRED: _ErrorText(SecretAccessDenied, _SIGNED_OUT, ("sign in again: ", Command.of("aws login"))),
    Cause.CLOCK: _ErrorText(
        SecretAccessDenied,
        "{call} was rejected because the clock of the machine that sent it is off ({code})",
        "set that clock (NTP): AWS rejects requests that are 5 minutes off. A function's clock is AWS's: its next "
        "run tries again",
    ),
    Cause.NO_CREDENTIALS: _ErrorText(
        SecretAccessDenied,
        "no AWS credentials were found for {call} ({code})",
        (
            "set AWS_PROFILE, or give the function or service an IAM role. A new profile comes from ",
            *(Command.of("aws configure sso"), " or ", Command.of("aws configure")),
        ),
    ),
    Cause.NO_REGION: _ErrorText(
        ConfigurationError,
        "no AWS region is set",
        "Set AWS_REGION, or give --region on the command line, region= in code",
    ),
    Cause.NO_PROFILE: _ErrorText(
        ConfigurationError,
        "there is no AWS profile {name}",
        ("List them: ", Command.of("aws configure list-profiles", is_complete=True)),
    ),
    Cause.BAD_CONFIGURATION: _ErrorText(
        ConfigurationError,
        "the AWS configuration can't be used ({code})",
        "Check AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL with its variants, or on the command line --region and "
        "--profile",
    ),
    Cause.NO_IDENTITY_TOKENS: _ErrorText(
        ConfigurationError,
        "{call} failed because this AWS account issues no identity tokens yet ({code})",
        ("let an administrator enable them: ", Command.of("aws iam enable-outbound-web-identity-federation")),
    ),
    Cause.BAD_NAME: _ErrorText(ConfigurationError, "{name!r} can't be the name or ARN of a {kind}", _correct),
    Cause.LIMIT: _ErrorText(SecretStoreUnavailable, "{call} reached a limit of the service ({code})", _who_else),
    Cause.THROTTLED: _ErrorText(
        SecretStoreUnavailable,
        "{call} was throttled ({code})",
        "this account sends too many requests in this region. The next run, read or delivery tries again; if it "
        "lasts, find the busy caller in CloudTrail",
    ),
    Cause.SERVER_ERROR: _ErrorText(
        SecretStoreUnavailable,
        "{call} failed in the service ({code})",
        "the next run, read or delivery tries again; https://health.aws.amazon.com shows the service's health",
    ),
    Cause.UNREACHABLE: _ErrorText(
        SecretStoreUnavailable,
        "{call} got no response ({code})",
        "check the network path to AWS (VPC endpoint, NAT gateway, proxy), AWS_ENDPOINT_URL and the region",
    ),
    Cause.MALFORMED: _ErrorText(
        SecretStoreUnavailable,
        "{call} got a response without a usable {code}",
        "check AWS_ENDPOINT_URL and the proxy; something other than AWS seems to respond",
    ),
    Cause.OTHER: _ErrorText(
        SecretStoreUnavailable, "{call} failed ({code})", "the next run, read or delivery tries again"
    ),
}

# The same, of other things than secrets and parameters.
_MESSAGES_OF_OTHERS: Final[Mapping[Cause, _ErrorText]] = {
    **_MESSAGES,
    Cause.BAD_KEY: _ErrorText(ConfigurationError, "{call} failed ({code})", _check_key),
    Cause.NOT_FOUND: _ErrorText(ConfigurationError, "{place} does not exist ({action})", lambda request: request.look),
    Cause.LIMIT: _ErrorText(
        SecretStoreUnavailable, "{call} reached a limit of the service ({code})", "ask AWS to raise it"
    ),
    Cause.BAD_NAME: _ErrorText(ConfigurationError, "{name!r} can't be the name of a {kind}", _correct),
}


def named_error(failure: FailedCall, request: AwsRequest) -> TokenRefreshError:
    """Return the error of a failed call; of what the service sent it quotes a well-formed code, and known words."""
    # Everything but `code` comes from the settings, and `code` was checked: it is quotable.
    row = (_MESSAGES if request.kind in STORED else _MESSAGES_OF_OTHERS)[failure.cause]
    what = row.what.format(
        action=request.action,
        call=f"{request.action} on {request.place}" if request.kind else request.action,
        code=failure.code,
        denial=f" {failure.denial}" if failure.denial else "",
        kind=request.kind,
        name=request.name,
        place=request.place,
    )
    raised = row.raised
    if raised is SecretStoreUnavailable and request.action.startswith("dynamodb:"):
        raised = TableUnavailable
    of_policy = whose_policy(request, failure.denial) if failure.denial else None
    error = raised(what, fix=of_policy or (row.fix(request) if callable(row.fix) else row.fix))
    if isinstance(error, SecretAccessDenied):
        error.by_key = failure.cause in {Cause.KEY_DENIED, Cause.BAD_KEY}
    if isinstance(error, SecretNotFound):
        error.secret_id, error.is_deleted = request.name, failure.cause is Cause.DELETED
    return error
