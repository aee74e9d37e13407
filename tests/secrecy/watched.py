"""The handler in the worst company: every logger says all that it can, and the real sentry-sdk watches.

What Sentry would send goes to the file that REPORTS names, a line each.
"""

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import httpx
import sentry_sdk
from sentry_sdk.integrations.logging import ignore_logger

from secrecy import sentry
from secrecy.hosted import hosted
from token_refresh_worker import handlers as product
from token_refresh_worker.run.settings import read_settings

_REPORTS = Path(os.environ["REPORTS"])


def keep(event: dict[str, Any]) -> None:
    """Write an event to the file."""
    with _REPORTS.open("a") as file:
        file.write(json.dumps(event) + "\n")


def handler(event: dict[str, Any], context: Any) -> object:
    """Run the real handler."""
    with sentry_sdk.start_transaction(name="a run", op="function"):
        try:
            if event.get("control"):
                control(event["control"])
            _let_all_loggers_speak()
            with mock.patch.object(product, "read_settings", _settings_that_warn(event.get("defect"))):
                return hosted(event, context)
        except Exception as error:
            sentry_sdk.capture_exception(error)
            raise
        finally:
            sentry_sdk.capture_message("ended", level="error")  # which carries the breadcrumbs


def control(url: str) -> None:
    """Do what the worker must not: ask a URL with a secret in it, and fail with a secret in a local variable."""
    local = url
    httpx.get(local)
    raise RuntimeError


def _let_all_loggers_speak() -> None:
    for logger in (logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))):
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
    logging.getLogger().addHandler(logging.StreamHandler())
    for name in ("botocore", "httpcore"):
        boto3.set_stream_logger(name, logging.DEBUG)
    logging.getLogger("somebody").addHandler(logging.StreamHandler())
    warnings.simplefilter("always")


def _settings_that_warn(defect: str | None) -> Any:
    def read(environment: Any) -> Any:
        warnings.warn(f"a library warns of {environment.get('UPWORK_CLIENT_SECRET')}", stacklevel=1)
        secret = environment.get("UPWORK_CLIENT_SECRET")
        logging.getLogger("somebody").error("a library logs %s", secret, exc_info=ValueError(secret))
        if defect is not None:
            raise ValueError(defect)
        return read_settings(environment)

    return read


sentry.watch(keep, module="secrecy.")
ignore_logger("somebody")  # what it says is for the worker's log alone
