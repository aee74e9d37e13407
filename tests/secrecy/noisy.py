"""The handler in the worst company: before each invocation, someone has every logger say all that it can."""

import logging
import warnings
from typing import Any
from unittest import mock

import boto3

from secrecy.hosted import hosted
from token_refresh_worker import handlers as product
from token_refresh_worker.run.settings import read_settings


def handler(event: dict[str, Any], context: Any) -> object:
    """Run the real handler."""
    for logger in (logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))):
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
    logging.getLogger().addHandler(logging.StreamHandler())
    for name in ("botocore", "httpcore"):
        boto3.set_stream_logger(name, logging.DEBUG)
    logging.getLogger("somebody").addHandler(logging.StreamHandler())
    warnings.simplefilter("always")
    with mock.patch.object(product, "read_settings", _settings_that_warn(event.get("defect"))):
        return hosted(event, context)


def _settings_that_warn(defect: str | None) -> Any:
    def read(environment: Any) -> Any:
        warnings.warn(f"a library warns of {environment.get('UPWORK_CLIENT_SECRET')}", stacklevel=1)
        secret = environment.get("UPWORK_CLIENT_SECRET")
        logging.getLogger("somebody").error("a library logs %s", secret, exc_info=ValueError(secret))
        if defect is not None:
            raise ValueError(defect)
        return read_settings(environment)

    return read
