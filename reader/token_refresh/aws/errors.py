"""The named error of each failed call: what failed, why, and the command that fixes it."""

import shlex
from collections.abc import Mapping
from typing import Final, NamedTuple

from token_refresh.aws.arn import arn_region
from token_refresh.aws.causes import Cause, FailedCall
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
    """Name or ARN of the secret, path of the parameter; empty if the call is about all that there are."""
    region: str
    """Empty if the name says it."""
    kind: str = "secret"
    setting: str | None = None
    """The setting that holds the name, if it is known."""
    reference: str | None = None
    """The reference that led to this name, if it is another text."""
    purpose: str | None = None
    """What the call is for, if it is for something else."""

    @property
    def place(self) -> str:
        """Name the secret and the region."""
        region = self.region and f"in {self.region}"
        purpose = self.purpose and f"for {self.purpose}"
        reference = self.reference and f"({self.reference})"
        return " ".join(filter(None, (self.kind, self.name, region, purpose, reference)))

    def command(self, words: str) -> str:
        """Write a complete command for this secret and region; `{}` stands for the secret."""
        return f"`{words.format(shlex.quote(self.name))} --region {self.region}`"


_Row = tuple[type[TokenRefreshError], str]

# The error of each cause, and its message: what failed, a colon, and what to do. `_words` fills the braces.
_MESSAGES: Final[Mapping[Cause, _Row]] = {
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
            "{call} failed because the AWS credentials are invalid or expired ({code}): renew them with "
            "`aws sso login` or `aws login`, or check AWS_PROFILE and this machine's clock"
        ),
    ),
    Cause.NO_CREDENTIALS: (
        SecretAccessDenied,
        (
            "no AWS credentials were found for {call} ({code}): give the function or service an IAM role, or set "
            "AWS_PROFILE to a profile that `aws configure` or `aws configure sso` makes"
        ),
    ),
    Cause.NO_REGION: (
        ConfigurationError,
        "no AWS region is set: Set AWS_REGION, or give --region on the command line",
    ),
    Cause.NO_PROFILE: (ConfigurationError, "there is no AWS profile {name}: List them: `aws configure list-profiles`"),
    Cause.BAD_CONFIGURATION: (
        ConfigurationError,
        (
            "the AWS configuration can't be used ({code}): Check AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL with its "
            "variants, or on the command line --region, --profile and --endpoint-url"
        ),
    ),
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
            "{call} was throttled ({code}): this account sends too many requests in this region. The next run, read "
            "or delivery tries again; if it lasts, find the busy caller in CloudTrail"
        ),
    ),
    Cause.SERVER_ERROR: (
        SecretStoreUnavailable,
        (
            "{call} failed in the service ({code}): the next run, read or delivery tries again; "
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
    Cause.OTHER: (SecretStoreUnavailable, "{call} failed ({code}): the next run, read or delivery tries again"),
}

# What a cause means for other things than secrets and parameters.
_MESSAGES_OF_OTHERS: Final[Mapping[Cause, _Row]] = {
    Cause.NOT_FOUND: (ConfigurationError, "{place} does not exist ({action}): {where_else}"),
    Cause.LIMIT: (SecretStoreUnavailable, "{call} reached a limit of the service ({code}): ask AWS to raise it"),
    Cause.BAD_NAME: (ConfigurationError, "{name!r} can't be the name of a {kind}: correct {setting}"),
}
_MESSAGES_OF_A_KEY: Final[Mapping[Cause, _Row]] = {
    **_MESSAGES_OF_OTHERS,
    Cause.OTHER: (
        ConfigurationError,
        "{call} failed ({code}): check that the key ({setting}) is enabled, and of a type that signs so",
    ),
}


def named_error(failure: FailedCall, request: AwsRequest) -> TokenRefreshError:
    """Give the error of a failed call; it quotes nothing that the service sent except a well-formed error code."""
    # Everything but `code` comes from the settings, and `code` was checked: it is quotable.
    others = _MESSAGES_OF_A_KEY if request.kind == "key" else _MESSAGES_OF_OTHERS
    of_kind = {} if request.kind in _STORED else others
    raised, message = of_kind.get(failure.cause) or _MESSAGES[failure.cause]
    words = {**_words(request), "code": failure.code}
    what, _, fix = (part.format_map(words) for part in message.partition(": "))
    error = raised(what, fix=fix)
    if isinstance(error, SecretNotFound):
        error.secret_id, error.is_deleted = request.name, failure.cause is Cause.DELETED
    return error


def _words(request: AwsRequest) -> dict[str, str]:
    return {
        "action": request.action,
        "call": f"{request.action} on {request.place}" if request.kind else request.action,
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


_STORED: Final = {"secret", "parameter"}
_WHERE_ELSE: Final = {
    "table": (
        'Set CLAIM_TABLE to the output ClaimTableName of the stack (claim_table = "create" makes one), and AWS_REGION '
        "to its region"
    ),
    "fleet table": (
        "Check the fleet's name, and set AWS_REGION to the region of its stack; to deploy one: `scripts/deploy NAME`, "
        'with mode = "fleet" in infra/deployments/NAME.toml'
    ),
    "function": "List the functions: `aws lambda list-functions --region {region} --query 'Functions[].FunctionName'`",
}


def _where_else(request: AwsRequest) -> str:
    if request.kind in _STORED and (other := _other_region(request)):
        return other
    if request.reference:
        name = shlex.quote(request.reference.partition(":")[2])
        return f"set it with `npx ampx sandbox secret set {name}`, or for a branch in the Amplify console"
    if request.kind not in _STORED:
        return _WHERE_ELSE.get(request.kind, "Check its name, account and region").format(region=request.region)
    if request.kind == "parameter":
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
        if request.kind in _STORED
        else "allow this action for the caller's role. `aws sts get-caller-identity` shows the caller"
    )


def _other_region(request: AwsRequest) -> str | None:
    """Point out the likeliest mistake: an ARN of one region, used in another."""
    # Secrets Manager says only that the secret is missing, or denied.
    region = arn_region(request.name)
    if region is None or request.region in {"", region}:
        return None
    return f"the ARN belongs to {region}, and the request went to {request.region}: set AWS_REGION={region}"
