"""Which deployment a token secret is of: a command takes every setting of a worker from there, and from nowhere else.

A caller that may tag a secret could name a function, a fleet or a copy of its own, and get the next access token. A tag
counts as far as CloudFormation's own tags, the function's settings and the stored tokens prove it. A secret that is
tagged without a proof has no settings but its document's: what writes refuses it, and nothing takes the shell's.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from token_refresh.advice import Command
from token_refresh.aws.arn import name_same_secret, parse_arn, secret_name
from token_refresh.aws.clients import ClientLimits
from token_refresh.errors import (
    ConfigurationError,
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretNotFound,
    TokenRefreshError,
)
from token_refresh_admin.changes.change import fields_of
from token_refresh_admin.cli.context import Context, SettingsSource
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG
from token_refresh_worker.run.settings import GENERIC_PROVIDER, Variable, copy_name
from token_refresh_worker.stored.origin import Origin, read_origin
from token_refresh_worker.stored.tags import (
    CLAIM_TABLE_TAG,
    COPY_OF_TAG,
    FUNCTION_TAG,
    PUBLISHED_FROM_TAG,
    PUBLISHED_TAG,
    StackResource,
)

ONE_TRY: Final = ClientLimits(connect_seconds=2, read_seconds=3, attempts=1)
_OURS: Final = (FUNCTION_TAG, PUBLISHED_TAG, CLAIM_TABLE_TAG, FLEET_TAG)
"""The tags of a token secret."""
_READ: Final = "lambda:GetFunctionConfiguration"


def find_deployment(context: Context, *, joins: str | None = None, writes: bool = False) -> Context:
    """Return the context with the settings of the secret's deployment.

    `joins` is the fleet that the secret joins by the operator's word; `writes` says that the command changes something.
    """
    secret: Mapping[str, Any] = {}
    try:
        secret = context.call("DescribeSecret", context.secret_id, limits=ONE_TRY)
    except SecretNotFound:
        pass
    except TokenRefreshError as failure:
        if context.function is None:
            return _unproven(context, failure, writes=writes)
    tags = tags_in(secret)
    ours = [key for key in _OURS if key in tags]
    if not ours and (source := copied_from(tags)):
        raise InvalidSecretDocument(
            f"{context.secret} is the published copy for consumers, which has no refresh token",
            fix=("Run the command on the token secret: ", context.overlaid({Variable.TOKEN_SECRET_ID: source}).again()),
        )
    if context.function is not None:
        return _named(context, context.function, tags, joins=joins, is_there=bool(secret))
    if joins is not None:
        return _joining(context, joins, tags)
    if not ours:
        _refuse_copy_of_another(context, writes=writes)
        return context
    try:
        return _proven(context, str(secret["ARN"]), tags)
    except TokenRefreshError as failure:
        primary = str(secret.get("PrimaryRegion", context.region))
        return _unproven(context, failure, ours, primary=primary, writes=writes)


def _named(context: Context, function: str, tags: Mapping[str, str], *, joins: str | None, is_there: bool) -> Context:
    """Return the context with the settings of the function that the operator names."""
    _check_served(context, "lambda")
    acting = _acting(context, function, fleet=joins)
    if fleet := acting.source.fleet:
        refuse_other_fleet(context, context.secret_id, tags, fleet)
        if is_there and joins is None and FLEET_TAG not in tags:
            raise ConfigurationError(
                f"{context.secret} is not in fleet {fleet}", fix=("Add it: ", context.secret.join(fleet))
            )
    return acting


def _joining(context: Context, fleet: str, tags: Mapping[str, str]) -> Context:
    """Return the context with the settings of the fleet that the secret joins."""
    _check_served(context, "lambda", "dynamodb")
    refuse_other_fleet(context, context.secret_id, tags, fleet)
    try:
        return _acting(context, _fleets_worker(context, fleet, read_table_tags(context, fleet)), fleet=fleet)
    except ConfigurationError as failure:  # The worker of a release's template may have another name.
        name_it = f"{'. Then name' if failure.fix else 'name'} the fleet's worker: "
        failure.fix = (*failure.fix, name_it, context.again("--function", "NAME"))
        raise


def _proven(context: Context, secret_arn: str, tags: Mapping[str, str]) -> Context:
    fleet, function, stack = tags.get(FLEET_TAG), tags.get(FUNCTION_TAG), StackResource.TOKENS.stack(tags)
    _check_served(context, "lambda", *(["dynamodb"] if fleet else []))
    if fleet:
        worker = _fleets_worker(context, fleet, read_table_tags(context, fleet, beside=secret_arn))
        # No stack made a member: without this, a caller that may tag a secret would choose its copy and its client.
        # And it decides where the tag of an earlier deployment is left: that one's function sends nothing any more.
        origin = newest_origin(context)
        if origin is None or origin.claim_store.table != fleet:
            raise ConfigurationError(f"no run of fleet {fleet} has stored its tokens yet")
        return _acting(context, worker, fleet=fleet)
    if function is None or stack is None or stack != _stack_of_function(context, function, secret_arn):
        raise ConfigurationError(
            f"it and function {function or '(no tag names one)'} were not created by the same stack"
        )
    return _acting(context, function, secret_arn=secret_arn)


def _acting(context: Context, function: str, *, fleet: str | None = None, secret_arn: str = "") -> Context:
    """Return the context with a function's settings, if it is the worker of this fleet, or of this secret."""
    configuration = context.ask(_READ, "function", function, limits=ONE_TRY, FunctionName=function)
    found = configuration.get("Environment", {})
    if "Error" in found:
        raise ConfigurationError(
            f"Lambda can't decrypt the settings of function {function} ({found['Error'].get('ErrorCode')})",
            fix="let it use the function's key again, and deploy",
        )
    variables: Mapping[str, str] = found.get("Variables", {})
    own, its_fleet = variables.get(Variable.TOKEN_SECRET_ID), variables.get(Variable.FLEET_NAME)
    other = (fleet and its_fleet != fleet) or (secret_arn and not name_same_secret(own or "", secret_arn))
    if other or not (own or its_fleet):
        raise ConfigurationError(
            f"function {function} refreshes {own or (f'fleet {its_fleet}' if its_fleet else 'no secret')}"
        )
    provider = (variables.get(Variable.PROVIDER) or GENERIC_PROVIDER) if its_fleet else None
    return context.deployed(
        SettingsSource(function=str(configuration.get("FunctionName", function)), fleet=its_fleet, provider=provider),
        variables,
    )


def _unproven(
    context: Context, why: TokenRefreshError, ours: Sequence[str] = (), *, primary: str = "", writes: bool
) -> Context:
    """Return the context with no settings, for what only reads."""
    fix = why.fix
    line = "aws secretsmanager untag-resource --secret-id {} --tag-keys" + " {}" * len(ours) + " --region {}"
    untag = Command.of(line, context.secret_id, *ours, context.region)
    if ours and primary != context.region:
        fix = ("it is a replica; act on the secret itself: ", context.again(region=primary))
    elif ours and not _is_served(context, "lambda"):
        fix = ("beside an emulator, take its tags off: ", untag)
    elif _READ not in why.facts:  # Naming the function would ask for the same.
        named = context.again("--function", "NAME")
        fix = (*fix, f"{'. Or name' if fix else 'name'} the function that refreshes it: ", named)
        if ours and "does not exist" in why.facts:
            fix = (*fix, ". If its stack was deleted, take the tags off: ", untag)
    unproven = why.within(f"nothing proves which deployment {context.secret} belongs to", fix)
    if writes:
        raise unproven
    return context.deployed(SettingsSource(unproven=unproven), {})


def _fleets_worker(context: Context, fleet: str, tags: Mapping[str, str]) -> str:
    """Name the worker of the stack that made a fleet's table."""
    stack = StackResource.FLEET_TABLE.stack(tags)
    if stack is not None:
        function = stack.split("/")[1]  # It has the stack's name.
        if _stack_of_function(context, function, stack) == stack:
            return function
    raise ConfigurationError(f"no stack made table {fleet} together with a worker")


def _stack_of_function(context: Context, function: str, beside: str) -> str | None:
    arn = _arn_beside(beside, "lambda", f"function:{function}")
    listed = context.ask("lambda:ListTags", "function", function, limits=ONE_TRY, Resource=arn)
    return StackResource.FUNCTION.stack(listed.get("Tags", {}))


def read_table_tags(context: Context, fleet: str, *, beside: str = "") -> dict[str, str]:
    """Read the tags of a fleet's table; `beside` is the ARN of something in its account and region."""
    kind, table = "fleet table", _arn_beside(beside, "dynamodb", f"table/{fleet}") if beside else ""
    if not table:
        table = context.ask("dynamodb:DescribeTable", kind, fleet, TableName=fleet)["Table"]["TableArn"]
    return tags_in(context.ask("dynamodb:ListTagsOfResource", kind, fleet, ResourceArn=table))


def _arn_beside(known: str, service: str, resource: str) -> str:
    arn = parse_arn(known)
    assert arn is not None  # noqa: S101 - AWS gives complete ARNs
    return f"arn:{arn.partition}:{service}:{arn.region}:{arn.account}:{resource}"


def newest_origin(context: Context) -> Origin | None:
    """Return what the newest token set says of itself, whatever was saved over it since."""
    store = context.store()
    found = read_origin(fields_of(store.read(label=CURRENT)))
    if found is None:
        for version in sorted(store.versions(), key=lambda version: version.created_at, reverse=True):
            with suppress(SecretAccessDenied):  # Its key is gone.
                found = found or read_origin(fields_of(store.read(version_id=version.version_id)))
    return found


def tags_in(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags in a response of Secrets Manager or DynamoDB."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in described.get("Tags", ())}


def refuse_other_fleet(context: Context, secret_id: str, tags: Mapping[str, str], fleet: str) -> None:
    """Refuse to let a secret join a second fleet."""
    if (theirs := tags.get(FLEET_TAG, fleet)) != fleet:
        # Without its tag, a run that is under way could not store its tokens.
        remove = Command.of("token-refresh fleet remove {} --fleet {} --region {}", secret_id, theirs, context.region)
        look = Command.of("token-refresh status {} --region {}", secret_id, context.region)
        fix = ("take it out first: ", remove, ". If that fleet is gone, see what else helps: ", look)
        raise ConfigurationError(f"secret {secret_id} is in fleet {theirs}", fix=fix)


def _refuse_copy_of_another(context: Context, *, writes: bool) -> None:
    """Refuse a copy that a variable names, left in the shell by work on another secret."""
    name = copy_name(context.environment.get(Variable.PUBLISHED_SECRET_ID), context.secret_id)
    if not name:
        return
    try:
        tags = tags_in(context.call("DescribeSecret", name, limits=ONE_TRY))
    except TokenRefreshError as failure:
        if writes and not isinstance(failure, SecretNotFound):
            raise
        return
    source = copied_from(tags)
    if source not in {None, secret_name(context.secret_id)} or any(key in tags for key in _OURS):
        its = f"the copy of {source} and not of {context.secret_id}" if source else "itself a token secret"
        raise ConfigurationError.of(Variable.PUBLISHED_SECRET_ID, f"names {name}, which is {its}", fix="Unset it")


def copied_from(tags: Mapping[str, str]) -> str | None:
    """Name the token secret of a published copy, a stack's or a fleet's."""
    return tags.get(PUBLISHED_FROM_TAG) or tags.get(COPY_OF_TAG)


def _is_served(context: Context, service: str) -> bool:
    """Whether a service can be asked: beside an emulator of Secrets Manager, others would be those of an account."""
    return bool(context.environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")) or context.has_all_of_aws


def _check_served(context: Context, *services: str) -> None:
    for service in services:
        if not _is_served(context, service):
            raise ConfigurationError(f"{service} can't be asked: only Secrets Manager is at this endpoint")
