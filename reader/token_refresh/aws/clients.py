"""Makes clients of AWS services."""

import os
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from botocore.config import Config


class MakeClient(Protocol):
    """Makes the client of an AWS service."""

    def __call__(self, service: str, *, region: str | None = None) -> Any:
        """Make the client of `service`, by its name in botocore; without a region, in the configured one.

        Raises:
            ConfigurationError: There is no region, or the AWS configuration can't be used.
        """
        ...


def configured_region() -> str | None:
    """Give the region of AWS_REGION, which botocore does not read: it has AWS_DEFAULT_REGION and the profile."""
    return os.environ.get("AWS_REGION") or None


def make_client(service: str, *, region: str | None, config: "Config") -> Any:
    """Make a client, in the configured region if `region` is None.

    Raises:
        BotoCoreError: There is no region, or the AWS configuration can't be read.
        ValueError: An endpoint or the region is malformed.
    """
    import botocore.session  # noqa: PLC0415 - 0.2 s, which only the first read should cost

    return botocore.session.get_session().create_client(
        service, region_name=region or configured_region(), config=config
    )
