"""What Secrets Manager says of a secret beside its value: the time, its versions, its ARN, and where it is."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, cast

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import arn_region, secret_name
from token_refresh.aws.calls import CallFailed, call
from token_refresh.aws.clients import CLIENTS
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import service_time
from token_refresh.errors import (
    ConfigurationError,
    InvalidSecretDocument,
    SecretEmpty,
    SecretNotFound,
    TokenRefreshError,
)
from token_refresh_admin.changes.change import fields_of
from token_refresh_admin.changes.past import VersionHistory
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.deployment import ONE_TRY, newest_origin, tags_in
from token_refresh_admin.cli.screen import note
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.ports import SecretVersion
from token_refresh_worker.run.settings import Settings, Variable, copy_name, names_copy
from token_refresh_worker.stored.published import is_published
from token_refresh_worker.stored.tags import PUBLISHED_UNDER_TAG


def read_clock(context: Context) -> datetime:
    """Read Secrets Manager's clock, which alone decides when something is due; a refused request has the time, too."""
    client, name = context.client("secretsmanager"), context.secret_id
    try:
        return call(
            lambda: service_time(client.describe_secret(SecretId=name)),
            lambda: AwsRequest("secretsmanager:DescribeSecret", name, client.meta.region_name),
            expected=lambda failure: failure.at is not None,
        )
    except CallFailed as refused:
        return cast("datetime", refused.failure.at)


def other_regions(context: Context) -> list[str]:
    """List the other regions that have a secret of this name."""
    here = context.region
    asked = [region for region in CLIENTS.regions("secretsmanager") if region != here]
    with ThreadPoolExecutor(max_workers=16) as pool:  # About 30 regions: two rounds of a second instead of thirty.
        found = list(pool.map(lambda region: _exists(context, region), asked))
    return [region for region, exists in zip(asked, found, strict=True) if exists]


@contextmanager
def saying_where(context: Context) -> Iterator[None]:
    """Say where the token secret is, where reading it fails."""
    try:
        yield
    except SecretNotFound as failure:
        raise _not_found(context, failure) from None
    except (InvalidSecretDocument, SecretEmpty):  # Perhaps of the client's secret, before this one is there.
        with suppress(SecretNotFound):
            refuse_published_secret(context, context.store().read(label=CURRENT))
        raise


def _not_found(context: Context, failure: SecretNotFound) -> SecretNotFound:
    """Say where the secret is, or how to create it; about another one, such as the client's, `failure` says enough."""
    named = arn_region(context.secret_id)
    failure.fix = fix_of_copy(context, failure)
    if failure.secret_id != context.secret_id or named == context.region or failure.is_deleted:
        return failure
    regions = [named] if named else other_regions(context)
    missing = f"secret {context.secret_id} does not exist in {context.region}"
    if regions:
        return SecretNotFound(
            f"{missing}, and {'its ARN names' if named else 'exists in'} {', '.join(regions)}",
            fix=(
                *("Name that region: ", context.again(region=regions[0])),
                f"; and set AWS_REGION={regions[0]} where it is read",
            ),
        )
    missing += ", nor in another region that could be asked"
    if source := _source_of_copy(context):
        status = context.overlaid({Variable.TOKEN_SECRET_ID: source}).command("status")
        return SecretNotFound(
            f"{missing}. It has the name of a published copy, which runs make",
            fix=("Look at the token secret: ", status),
        )
    return SecretNotFound(
        missing, fix=("Check the name and the AWS account; to create the secret: ", context.command("authorize"))
    )


def fix_of_copy(context: Context, failure: TokenRefreshError) -> Advice:
    """Say what helps where the copy can't be read; a deleted one comes back as it was made."""
    source, copy = context.source, copy_name(context.environment.get(Variable.PUBLISHED_SECRET_ID), context.secret_id)
    if not isinstance(failure, SecretNotFound) or failure.is_deleted or not copy or failure.secret_id != copy:
        return failure.fix
    if source.fleet:
        return "make it again: ", context.secret.join(source.fleet)
    if source.function:  # The policies that the stack gives name the ARN of the copy that it makes.
        deploy = Command.of("scripts/deploy NAME")
        how = 'detach ReadPolicyArn from your services, deploy with published_secret = "none", then without that line: '
        return "let the stack make it again: ", how, deploy, ". Then attach the new ReadPolicyArn"
    line = "aws secretsmanager create-secret --name {} --region {}"
    return *failure.fix, ". Or make it again: ", Command.of(line, copy, context.region)


def refuse_published_secret(context: Context, current: SecretVersion | None) -> None:
    """Refuse to take a published secret that has no tag for a token secret, also while it is empty."""
    named = names_copy(context.environment.get("PUBLISHED_SECRET_ID", ""), context.secret_id)
    if named or (is_published(fields_of(current)) and newest_origin(context) is None):
        raise InvalidSecretDocument(
            f"{context.secret} is the published copy for consumers, which has no refresh token",
            fix="Run the command on the token secret that it is published from (the function's TOKEN_SECRET_ID)",
        ) from None


def refuse_name_of_copy(context: Context) -> None:
    """Refuse to store a grant under the name of a copy: the copy's readers would read the refresh token."""
    if source := _source_of_copy(context):
        raise InvalidSecretDocument(
            f"{context.secret} has the name of a published copy, where services would read the refresh token",
            fix=("Authorize the token secret: ", context.overlaid({Variable.TOKEN_SECRET_ID: source}).again()),
        )


def _source_of_copy(context: Context) -> str | None:
    """Return the token secret of which this one would be the copy, by its name; None if no copy has such a name."""
    name = secret_name(context.secret_id)
    source = name.removesuffix("-published")
    if source == name:
        source = next((name.removeprefix(it) for it in _places_of_copies(context) if name.startswith(it)), name)
    return source if source != name else None


def _places_of_copies(context: Context) -> Iterator[str]:
    """Yield under which prefixes fleets of this account publish; beside an emulator, nobody knows."""
    if not context.has_all_of_aws:
        return
    filters: dict[str, Any] = {"TagFilters": [{"Key": PUBLISHED_UNDER_TAG}], "ResourceTypeFilters": ["dynamodb:table"]}
    try:
        for page in context.pages("tag:GetResources", "the tables of fleets", page_key="PaginationToken", **filters):
            yield from (tags_in(table)[PUBLISHED_UNDER_TAG] for table in page["ResourceTagMappingList"])
    except TokenRefreshError as failure:
        note("Whether a fleet publishes under this name is not known: ", *failure.parts)


def _exists(context: Context, region: str) -> bool:
    try:
        context.call("DescribeSecret", context.secret_id, limits=ONE_TRY, region=region)
    except TokenRefreshError:  # Denied, or a region that the account has not enabled.
        return False
    return True


def settings_of(context: Context, fields: Mapping[str, object]) -> Settings:
    """Return the settings for a token set; those of another provider don't keep an operator from looking back."""
    try:
        return context.settings_for(fields)
    except ConfigurationError:
        return context.settings()


def read_past(context: Context) -> VersionHistory:
    """Read all versions of the secret."""
    return VersionHistory(parts=context.run(settings_of(context, context.stored())).parts)
