"""The time by Secrets Manager's clock, which alone decides when something is due."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from token_refresh_worker.cli.context import Context


def skew(context: Context) -> timedelta | None:
    """Measure how far Secrets Manager's clock is ahead of this machine's, to a second.

    A refused request has the time, too. Without a response nobody knows: None.
    """
    response: dict[str, Any]
    try:
        response = context.client("secretsmanager").describe_secret(SecretId=context.secret_id)
    except ClientError as error:
        response = dict(error.response)
    except BotoCoreError:
        return None
    # RFC 9110 section 6.6.1: the time at which the service made the response, in whole seconds.
    header = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC) if header else None


def service_now(context: Context) -> datetime:
    """Give the time by Secrets Manager's clock, or by this machine's if that is unknown."""
    return datetime.now(UTC) + (skew(context) or timedelta(0))
