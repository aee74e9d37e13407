"""The named error of each failed call: what failed, why, and the command that fixes it."""

import shlex
from collections.abc import Mapping
from typing import Final, NamedTuple

from token_refresh.aws.arn import arn_region
from token_refresh.aws.causes import Cause, FailedCall, failure_of
from token_refresh.errors import (
    ConfigurationError,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
    TokenRefreshError,
)

TOKEN_SECRET_SETTING: Final = "TOKEN_SECRET_ID"  # noqa: S105 - a variable's name


class AwsRequest(NamedTuple):
    """A call to AWS, as messages name it."""

    action: str
    """As IAM names it: `secretsmanager:GetSecretValue`."""
    name: str
    """Name or ARN of the secret, or path of the parameter."""
    region: str
    kind: str = "secret"
    setting: str | None = None
    """The setting that holds the name, if it is known."""
    reference: str | None = None
    """The reference that led to this name, if it is another text."""

    @property
    def place(self) -> str:
        """Name the secret and the region."""
        place = f"{self.kind} {self.name} in {self.region}"
        return f"{place} ({self.reference})" if self.reference else place

    def command(self, words: str) -> str:
        """Write a complete command for this secret and region; `{}` stands for the secret."""
        return f"`{words.format(shlex.quote(self.name))} --region {self.region}`"


def translate(
    error: Exception, *, action: str, secret_id: str, region: str, setting: str | None = None
) -> TokenRefreshError:
    """Name what a client of Secrets Manager raised."""
    request = AwsRequest(action=f"secretsmanager:{action}", name=secret_id, region=region, setting=setting)
    return named_error(failure_of(error), request)


# The error of each cause, and its message; `_words` fills the braces.
_MESSAGES: Final[Mapping[Cause, tuple[type[TokenRefreshError], str]]] = {
    Cause.NOT_FOUND: (SecretNotFound, "{place} was not found ({action}): {where_else}"),
    Cause.NO_VALUE: (SecretEmpty, "{place} has no current value ({action}): {how_to_store}"),
    Cause.DELETED: (SecretNotFound, "{place} is marked for deletion ({action}): restore it with {restore}"),
    Cause.DENIED: (SecretAccessDenied, "{call} was denied ({code}): {what_to_allow}"),
    Cause.KEY_DENIED: (
        SecretAccessDenied,
        (
            "{call} could not use its KMS key ({code}): allow kms:Decrypt on that key for the caller's role, and "
            "kms:GenerateDataKey to write; check that the key is enabled"
        ),
    ),
    Cause.BAD_CREDENTIALS: (
        SecretAccessDenied,
        (
            "{call} was refused because the AWS credentials are invalid or expired ({code}): renew them "
            "with `aws sso login`, or check AWS_PROFILE and this machine's clock"
        ),
    ),
    Cause.NO_CREDENTIALS: (
        SecretAccessDenied,
        (
            "no AWS credentials were found for {call} ({code}): give the function or service an IAM role, or set "
            "AWS_PROFILE to a profile that `aws configure` or `aws configure sso` makes"
        ),
    ),
    Cause.NO_REGION: (ConfigurationError, "{action} on {kind} {name} needs a region: set AWS_REGION"),
    Cause.BAD_NAME: (ConfigurationError, "{name!r} can't be the name or ARN of a {kind}: correct {setting}"),
    Cause.LIMIT: (
        SecretStoreUnavailable,
        (
            "{call} reached a limit of the service ({code}): versions without labels go after 24 hours. Find out who "
            "else writes to this secret with {history}"
        ),
    ),
    Cause.THROTTLED: (
        SecretStoreUnavailable,
        (
            "{call} was throttled ({code}): this account sends too many requests in this region. The next run or read "
            "tries again; if it lasts, find the busy caller in CloudTrail"
        ),
    ),
    Cause.SERVER_ERROR: (
        SecretStoreUnavailable,
        (
            "{call} failed in the service ({code}): the next run or read tries again; "
            "https://health.aws.amazon.com shows the service's health"
        ),
    ),
    Cause.UNREACHABLE: (
        SecretStoreUnavailable,
        (
            "{call} got no response ({code}): check the network path to AWS (VPC endpoint, NAT gateway, proxy), "
            "AWS_ENDPOINT_URL and the region"
        ),
    ),
    Cause.MALFORMED: (
        SecretStoreUnavailable,
        (
            "{call} got a response without a usable {code}: check AWS_ENDPOINT_URL and the proxy; something other than "
            "AWS seems to respond"
        ),
    ),
    Cause.OTHER: (SecretStoreUnavailable, "{call} failed ({code}): the next run or read tries again"),
}


def named_error(failure: FailedCall, request: AwsRequest) -> TokenRefreshError:
    """Give the error of a failed call; it quotes nothing that the service sent except a well-formed error code."""
    # Everything but `code` comes from the settings, and `code` was checked: it is quotable.
    raised, message = _MESSAGES[failure.cause]
    words = {**_words(request), "code": failure.code}
    what, _, fix = (part.format_map(words) for part in message.partition(": "))
    error = raised(what, fix=fix)
    if isinstance(error, SecretNotFound):
        error.secret_id, error.is_deleted = request.name, failure.cause is Cause.DELETED
    return error


def _words(request: AwsRequest) -> dict[str, str]:
    return {
        "action": request.action,
        "call": f"{request.action} on {request.place}",
        "history": request.command("token-refresh history {}"),
        "how_to_store": _how_to_store(request),
        "kind": request.kind,
        "name": request.name,
        "place": request.place,
        "restore": request.command("aws secretsmanager restore-secret --secret-id {}"),
        "setting": request.setting or "it",
        "what_to_allow": _what_to_allow(request),
        "where_else": _where_else(request),
    }


def _where_else(request: AwsRequest) -> str:
    if other := _other_region(request):
        return other
    if request.reference:
        name = shlex.quote(request.reference.partition(":")[2])
        return f"set it with `npx ampx sandbox secret set {name}`, or for a branch in the Amplify console"
    if request.kind != "secret":
        return f"check the name and the region; {request.command('aws ssm get-parameters --names {}')} looks it up"
    check = f"check {request.setting or 'the name'} and the region (AWS_REGION, --region)"
    if request.setting not in {None, TOKEN_SECRET_SETTING}:
        return f"{check}; `aws secretsmanager list-secrets --region {request.region}` lists the secrets"
    return f"{check}. If it is to hold tokens, {request.command('token-refresh authorize {}')} creates it"


def _how_to_store(request: AwsRequest) -> str:
    put = request.command("aws secretsmanager put-secret-value --secret-id {} --secret-string file://value.json")
    if request.setting not in {None, TOKEN_SECRET_SETTING}:
        return f"store one with {put}"
    return f"store a token set with {request.command('token-refresh authorize {}')}, or another value with {put}"


def _what_to_allow(request: AwsRequest) -> str:
    return _other_region(request) or (
        f"allow this action on this {request.kind} for the caller's role; a {request.kind} with a customer managed key "
        "also needs kms:Decrypt, and kms:GenerateDataKey to write. `aws sts get-caller-identity` shows the caller"
    )


def _other_region(request: AwsRequest) -> str | None:
    """Point out the likeliest mistake: an ARN of one region, used in another."""
    # Secrets Manager says only that the secret is missing, or denied.
    region = arn_region(request.name)
    if region in {None, request.region}:
        return None
    return f"the ARN belongs to {region}, and the request went to {request.region}: set AWS_REGION={region}"
