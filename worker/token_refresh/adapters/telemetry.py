"""One JSON object a line on standard output, and never a secret.

What this program logs goes through structlog, with a mask over every field whose name speaks of a secret. What
libraries log is reduced to who said it and where: their messages quote requests, responses and headers.
"""

import json
import logging
import re
import sys
import warnings
from typing import Any, Final, TextIO

import structlog

from token_refresh.core.secret_value import MASK, SecretValue

_WORDS: Final = ("token", "secret", "password", "authorization", "credential", "cookie", "body")
_SPEAK_OF_SECRETS: Final = re.compile(  # client_secret, clientSecret, secret; but neither secret_id nor SecretId
    f"(?:^|_)(?i:{'|'.join(_WORDS)})(?!_id|Id)|(?:{'|'.join(word.title() for word in _WORDS)})(?!Id)"
)
_LIBRARIES: Final = ("asyncio", "boto3", "botocore", "httpcore", "httpx", "urllib3")


def open_log(level: str, **bound: object) -> Any:
    """Give a logger at `level` that adds `bound` to each line, and take over what libraries say.

    The run's last line is its metric, too: it is written with a logger at NOTSET.
    """
    logger = structlog.wrap_logger(
        structlog.WriteLogger(sys.stdout),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask,
            structlog.processors.JSONRenderer(serializer=json.dumps, default=_describe),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
    ).bind(**{name: value for name, value in bound.items() if value is not None})
    _take_over_libraries(logger)
    return logger


def mask(_logger: object, _method: str, fields: Any) -> Any:
    """Mask every field whose name speaks of a secret; a secret value masks itself."""
    return {name: MASK if _SPEAK_OF_SECRETS.search(name) else value for name, value in fields.items()}


def _describe(value: object) -> str:
    """Stand in for what JSON can't hold: a mask, or the name of its type."""
    return MASK if isinstance(value, SecretValue) else f"<{type(value).__name__}>"


def _take_over_libraries(logger: Any) -> None:
    """Be the one handler of the standard library's root logger, each time anew, since others set it up, too."""
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler(logger)]
    root.setLevel(logging.WARNING)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.showwarning = _show_warning_with(logger)


class _LibraryHandler(logging.Handler):
    """Log that a library said something, and where; its message stays with it."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        self._logger.log(
            record.levelno,
            "library_message",
            logger=record.name,
            location=f"{record.module}:{record.lineno}",
            **({"error_type": record.exc_info[0].__name__} if record.exc_info and record.exc_info[0] else {}),
        )


def _show_warning_with(logger: Any) -> Any:
    def show(  # noqa: PLR0913, PLR0917 - the signature of warnings.showwarning
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del message, file, line
        logger.warning("library_warning", category=category.__name__, location=f"{filename}:{lineno}")

    return show
