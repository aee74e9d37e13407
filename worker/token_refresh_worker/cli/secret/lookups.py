"""What Secrets Manager says of a secret beside its values: the time, its versions, its ARN."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from token_refresh.aws.calls import CallFailed, call
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import service_time
from token_refresh_worker.cli.context import Context


def read_clock(context: Context) -> datetime:
    """Read Secrets Manager's clock, which alone decides when something is due; a refused request has the time, too.

    Raises:
        TokenRefreshError: There is no response, or none with a usable `Date`. Then nobody knows the time.
    """
    client, name = context.client("secretsmanager"), context.secret_id
    try:
        return call(
            lambda: service_time(client.describe_secret(SecretId=name)),
            lambda: AwsRequest("secretsmanager:DescribeSecret", name, client.meta.region_name),
            expected=lambda failure: failure.at is not None,
        )
    except CallFailed as refused:
        return cast("datetime", refused.failure.at)


def each_version(context: Context) -> Iterator[dict[str, Any]]:
    """Yield the `SecretVersionsListEntry` of each version that still exists, with or without labels.

    Source: the API page of `ListSecretVersionIds`.

    Raises:
        SecretStoreError: Secrets Manager refused, or can't be reached.
    """
    action, name = "secretsmanager:ListSecretVersionIds", context.secret_id
    for page in context.pages(action, "secret", name, SecretId=name, IncludeDeprecated=True, MaxResults=50):
        yield from page["Versions"]


def arn_of(context: Context, secret_id: str) -> str:
    """Give the complete ARN of a secret.

    Raises:
        SecretStoreError: There is no such secret, or it can't be described.
    """
    return str(context.call("DescribeSecret", secret_id)["ARN"])
