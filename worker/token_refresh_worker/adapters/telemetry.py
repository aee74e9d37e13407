"""One JSON object a line on standard output, written by structlog, and never a secret.

A field with the name of a secret is masked. Library messages quote requests, responses and headers, so only their
origin is logged.
"""

import logging
import re
import sys
import time
import warnings
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import structlog

from token_refresh.secret_value import MASK, SecretValue

EVERYTHING: Final = "NOTSET"

_WORDS: Final = ("token", "secret", "password", "authorization", "credential", "cookie", "body")
_SPEAK_OF_SECRETS: Final = re.compile(  # client_secret, clientSecret, secret; but neither secret_id nor SecretId
    f"(?:^|_)(?i:{'|'.join(_WORDS)})(?!_id|Id)|(?:{'|'.join(word.title() for word in _WORDS)})(?!Id)"
)


def open_log(level: str, **bound: object) -> structlog.typing.FilteringBoundLogger:
    """Return a log that writes lines from `level` up and adds `bound`, without None values, to each line."""
    log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stdout),
        processors=[
            structlog.processors.add_log_level,
            lambda _logger, _method, fields: mask(fields),
            _stamp_metrics,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(default=_describe),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return log.bind(**{name: value for name, value in bound.items() if value is not None})


def take_over_libraries(level: str, **bound: object) -> None:
    """Route the standard library's logging and warnings to the log, from WARNING up.

    Call it for each run: Lambda's runtime and libraries install handlers of their own, which print whole messages.
    """
    log = open_log(EVERYTHING, **bound)
    threshold = max(logging.getLevelNamesMapping()[level], logging.WARNING)
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler(log)]
    root.setLevel(threshold)
    for library in root.manager.loggerDict.values():
        if isinstance(library, logging.Logger) and (library.handlers or library.level or not library.propagate):
            library.handlers.clear()
            library.setLevel(logging.NOTSET)
            library.propagate = True
    warnings.showwarning = _warning_writer(log if threshold <= logging.WARNING else open_log("CRITICAL"))


def mask(fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every field with the name of a secret. A `SecretValue` masks itself."""
    return {name: MASK if _SPEAK_OF_SECRETS.search(name) else value for name, value in fields.items()}


def _stamp_metrics(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the time that CloudWatch wants of a metric (`run/outcome.py`)."""
    if "_aws" in fields:
        fields["_aws"] = {"Timestamp": time.time_ns() // 1_000_000, **fields["_aws"]}
    return fields


def _describe(value: object) -> str:
    return MASK if isinstance(value, SecretValue) else f"<{type(value).__name__}>"


class _LibraryHandler(logging.Handler):
    """Log who wrote a library message and where, without its text."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.log(
            min(record.levelno // 10 * 10, logging.CRITICAL),  # structlog knows the standard levels alone
            "library_message",
            logger=record.name,
            location=f"{record.module}:{record.lineno}",
            **({"error_type": record.exc_info[0].__name__} if record.exc_info and record.exc_info[0] else {}),
        )


def _warning_writer(log: structlog.typing.FilteringBoundLogger) -> Callable[..., None]:
    def write(_message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        log.warning("library_warning", category=category.__name__, location=f"{filename}:{lineno}")

    return write
