"""Which deployment a token secret belongs to: by its tags, as far as CloudFormation's own tags prove them.

Whoever may tag the secret could name a published secret of their own, and get the next access token. So what a tag
names counts only if CloudFormation made both in one stack of our template. Anything else takes the operator's word.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from token_refresh.aws.arn import parse_arn
from token_refresh.aws.clients import ClientLimits
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.cli.context import WORKER_VARIABLES, Context, Deployment, variables_of
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG
from token_refresh_worker.stored.tags import CLAIM_TABLE_TAG, FUNCTION_TAG, PUBLISHED_TAG, Made

ONE_TRY: Final = ClientLimits(connect_seconds=2, read_seconds=3, attempts=1)
PUBLISHED, TABLE = "PUBLISHED_SECRET_ID", "CLAIM_TABLE"
_OF_FUNCTION: Final = tuple(name for name in WORKER_VARIABLES[1:] if name not in {PUBLISHED, TABLE})
_CHOOSE_PROVIDER: Final = ("PROVIDER", "TOKEN_ENDPOINT")
# The grace, too: at another provider, a refresh token that is sent again could cost the grant.
_OF_PROVIDER: Final = frozenset(
    (*_CHOOSE_PROVIDER, "TOKEN_ENDPOINT_AUTH_METHOD", "CLIENT_ASSERTION_AUDIENCE", "REPLAY_GRACE_SECONDS")
)


def find_deployment(context: Context) -> Context:
    """Give the context with the published secret, the claim table and the function's settings that the tags lead to.

    What an option or a variable names stays. Where the secret can't be described, nothing is found.
    """
    if context.function is not None:
        return context  # Its settings apply.
    secret = _ask(context, "secretsmanager:DescribeSecret", SecretId=context.secret_id)
    tags = tags_in(secret)
    stack, named = Made.TOKENS.stack(tags), {PUBLISHED: tags.get(PUBLISHED_TAG), TABLE: tags.get(CLAIM_TABLE_TAG)}
    wanted = {name: value for name, value in named.items() if value and not context.environment.get(name)}
    stacks = {name: _STACKS[name](context, secret, value) for name, value in wanted.items()} if stack else {}
    found = {name: wanted[name] for name, its_stack in stacks.items() if its_stack == stack}
    function = tags.get(FUNCTION_TAG)
    is_function = stack is not None and function is not None and _stack_of_function(context, secret, function) == stack
    described = _ask(context, "lambda:GetFunctionConfiguration", FunctionName=function) if is_function else {}
    variables = variables_of(described)
    found |= _of_function(variables, context.environment)
    return replace(
        context,
        environment={**context.environment, **found},
        deployment=Deployment(
            function=function if is_function else None,
            fleet=tags.get(FLEET_TAG),
            is_read=bool(variables),
            is_named=function is not None,
            doubtful={name: value for name, value in wanted.items() if name not in found},
        ),
    )


def _of_function(variables: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Give what only the function says of its runs: whoever names a provider means all of that provider."""
    left = _OF_PROVIDER if any(given.get(name) for name in _CHOOSE_PROVIDER) else frozenset()
    wanted = [name for name in _OF_FUNCTION if name not in left and not given.get(name)]
    return {name: variables[name] for name in wanted if variables.get(name)}


def tags_in(described: Mapping[str, Any]) -> dict[str, str]:
    """Give the tags in a response of Secrets Manager or DynamoDB."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in described.get("Tags", ())}


def _stack_of_published(context: Context, secret: Mapping[str, Any], name: str) -> str | None:
    published = _ask(context, "secretsmanager:DescribeSecret", SecretId=name)
    # A copy over the token secret itself would cost the refresh token.
    return None if published.get("ARN") == secret["ARN"] else Made.PUBLISHED.stack(tags_in(published))


def _stack_of_table(context: Context, secret: Mapping[str, Any], name: str) -> str | None:
    listed = _ask(context, "dynamodb:ListTagsOfResource", ResourceArn=_arn(secret, "dynamodb", f"table/{name}"))
    return Made.TABLE.stack(tags_in(listed))


def _stack_of_function(context: Context, secret: Mapping[str, Any], name: str) -> str | None:
    listed = _ask(context, "lambda:ListTags", Resource=_arn(secret, "lambda", f"function:{name}"))
    return Made.FUNCTION.stack(listed.get("Tags", {}))


_STACKS: Final = {PUBLISHED: _stack_of_published, TABLE: _stack_of_table}


def _arn(secret: Mapping[str, Any], service: str, resource: str) -> str:
    arn = parse_arn(secret["ARN"])
    assert arn is not None  # noqa: S101 - Secrets Manager gives complete ARNs
    return f"arn:{arn.partition}:{service}:{arn.region}:{arn.account}:{resource}"


def _ask(context: Context, action: str, **members: Any) -> Mapping[str, Any]:
    """Ask AWS once; nothing if it refuses, or can't be reached."""
    service = action.partition(":")[0]
    own = context.environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    if service != "secretsmanager" and not (own or context.has_all_of_aws):
        return {}  # Beside an emulator of Secrets Manager, the other services would be those of an account.
    try:
        return context.ask(action, "tags", limits=ONE_TRY, **members)
    except TokenRefreshError:
        return {}
