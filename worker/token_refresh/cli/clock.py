"""What time it is by the service's clock, which alone decides."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from token_refresh.cli.aws import client


def skew(secret_id: str) -> timedelta:
    """Measure how far Secrets Manager's clock is ahead of this machine's, to a second; a refusal tells it, too."""
    answer: dict[str, Any]
    try:
        answer = client("secretsmanager").describe_secret(SecretId=secret_id)
    except ClientError as error:
        answer = dict(error.response)
    except BotoCoreError:
        return timedelta(0)
    header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC) if header else timedelta(0)


def service_now(secret_id: str) -> datetime:
    """Give the time by Secrets Manager's clock."""
    return datetime.now(UTC) + skew(secret_id)
