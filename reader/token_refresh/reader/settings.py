"""Checks of what a reader is made with, so that a mistake is named where it is made."""

import os
from datetime import timedelta
from typing import Final

from token_refresh.errors import ConfigurationError

# A background read begins at this share of the allowed age, so that a busy service never waits for one.
SOFT_SHARE: Final = 0.8


def in_lambda() -> bool:
    """Whether this is Lambda, which freezes threads between invocations."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def seconds_of(name: str, duration: timedelta, *, least: timedelta | None = None) -> float:
    """Give a duration in seconds.

    Raises:
        ConfigurationError: It is not a `timedelta`, or it is too short.
    """
    given: object = duration
    # A bare number would be taken for seconds by one reader of the code, and for minutes by the next.
    if not isinstance(given, timedelta):
        raise ConfigurationError(
            f"{name} must be a timedelta, such as timedelta(minutes=5); it is a {type(given).__name__}"
        )
    if given < (least if least is not None else timedelta(microseconds=1)):
        raise ConfigurationError(f"{name} must be {'a positive timedelta' if least is None else f'at least {least}'}")
    return given.total_seconds()
