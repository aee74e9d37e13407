"""The time by Secrets Manager's clock, which alone decides when something is due."""

from datetime import datetime
from typing import cast

from token_refresh.aws.calls import CallFailed, call
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import service_time
from token_refresh_worker.cli.context import Context


def read_clock(context: Context) -> datetime:
    """Read Secrets Manager's clock; a refused request has the time, too.

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
