"""The handler, watched by the real sentry-sdk; what it would send goes to the file that REPORTS names, a line each."""

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import sentry_sdk

from secrecy import sentry
from secrecy.hosted import hosted
from token_refresh_worker import handlers as product

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
            if event.get("defect"):
                with mock.patch.object(product, "read_settings", broken(event["defect"])):
                    return hosted(event, context)
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


def broken(secret: str) -> Any:
    """Fail with a secret in the text and in a frame."""

    def read(_: object) -> None:
        local = secret
        raise ValueError(local)

    return read


sentry.watch(keep, module="secrecy.")
