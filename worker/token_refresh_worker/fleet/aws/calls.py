"""One call of an AWS service, with its failures as errors of this program."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.config import Config

from token_refresh.aws.causes import Cause, FailedCall, failure_of
from token_refresh.errors import ConfigurationError, SecretAccessDenied, SecretStoreUnavailable, TokenRefreshError

CLIENT_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 4, "mode": "standard"}, max_pool_connections=16
)
"""Every call of a fleet may be repeated: what it writes is conditional, or the same again."""


class ExpectedError(Exception):
    """A service responded with the error code that the caller expects; it never leaves the adapters."""


def call(
    method: Callable[..., Any], what: Mapping[str, Any], *, action: str, where: str, expected: str | None = None
) -> Any:
    """Call, and translate what fails.

    Args:
        method: The client's method.
        what: Its arguments.
        action: The IAM action, for the error.
        where: The resource with its region, for the error.
        expected: An error code that is a result and no failure.

    Raises:
        ExpectedError: The service responded with the expected error.
        TokenRefreshError: Anything else.
    """
    try:
        return method(**what)
    except Exception as error:  # noqa: BLE001 - a malformed response raises whatever its parser meets
        failure = failure_of(error)
    # Outside of `except`: the chained error would hold the service's text, which may quote a value.
    if failure.code == expected:
        raise ExpectedError(failure.code)
    raise _translate(failure, action, where)


def read_at(response: Mapping[str, Any]) -> datetime:
    """Read the service's clock from a response."""
    # An emulator may send no date; AWS always does.
    header = response["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(header).astimezone(UTC) if header else datetime.now(UTC)


def _translate(failure: FailedCall, action: str, where: str) -> TokenRefreshError:
    failed = f"{action} on {where} failed ({failure.code})"
    if failure.cause.is_denial:
        return SecretAccessDenied(f"{failed}: the caller's role needs that action there")
    if failure.cause is Cause.NOT_FOUND:
        return ConfigurationError(
            f"{failed}: it does not exist. Check the fleet's name, and set AWS_REGION to the region of its "
            'stack; to deploy one: `scripts/deploy NAME`, with mode = "fleet" in infra/deployments/NAME.toml'
        )
    return SecretStoreUnavailable(f"{failed}; what is stored stays, and a later run goes on")
