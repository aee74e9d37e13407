"""One JSON object a line on standard output, and never a secret.

What a run does is logged through structlog, with a mask over every field whose name speaks of a secret. Its last line,
and what libraries say, are written in the same format without structlog: a run that finds the token fresh has no other
line, and would spend a tenth of its cold start on the import (`scripts/bench worker`). Of what libraries log only who
said it and where is kept: their messages quote requests, responses and headers.
"""

import json
import logging
import re
import sys
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TextIO

from token_refresh.secret_value import MASK, SecretValue

_WORDS: Final = ("token", "secret", "password", "authorization", "credential", "cookie", "body")
_SPEAK_OF_SECRETS: Final = re.compile(  # client_secret, clientSecret, secret; but neither secret_id nor SecretId
    f"(?:^|_)(?i:{'|'.join(_WORDS)})(?!_id|Id)|(?:{'|'.join(word.title() for word in _WORDS)})(?!Id)"
)


class EventLog:
    """Structured events from one level up; implements the port `Log`."""

    def __init__(self, level: str, **bound: object) -> None:
        """Describe the log; `bound` is added to each line."""
        self.level = logging.getLevelNamesMapping()[level]
        self._bound = {name: value for name, value in bound.items() if value is not None}

    @cached_property
    def _logger(self) -> Any:
        import structlog  # noqa: PLC0415 - with the first event: see above

        return structlog.wrap_logger(
            structlog.WriteLogger(sys.stdout),
            processors=[structlog.processors.add_log_level, lambda _logger, _method, fields: _line(fields)],
            wrapper_class=structlog.make_filtering_bound_logger(self.level),
        ).bind(**self._bound)

    def info(self, event: str, **fields: object) -> None:
        """Log what was done."""
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what someone should look at."""
        self._logger.warning(event, **fields)

    def write(self, severity: str, event: str, **fields: object) -> None:
        """Write a line whatever the level is: a run's last, which is its metric, too, and what libraries say."""
        sys.stdout.write(_line({**self._bound, **fields, "event": event, "level": severity}) + "\n")
        sys.stdout.flush()


def open_log(level: str, **bound: object) -> EventLog:
    """Give a log at `level` that adds `bound` to each line, and take over what libraries say."""
    log = EventLog(level, **bound)
    _take_over_libraries(log)
    return log


def _line(fields: Mapping[str, object]) -> str:
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({**mask(fields), "timestamp": moment}, default=_describe)


def mask(fields: Mapping[str, object]) -> dict[str, object]:
    """Mask every field whose name speaks of a secret; a secret value masks itself."""
    return {name: MASK if _SPEAK_OF_SECRETS.search(name) else value for name, value in fields.items()}


def _describe(value: object) -> str:
    """Stand in for what JSON can't hold: a mask, or the name of its type."""
    return MASK if isinstance(value, SecretValue) else f"<{type(value).__name__}>"


def _take_over_libraries(log: EventLog) -> None:
    """Be the one handler of the standard library's loggers, each time anew, since others set them up, too."""
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler(log)]
    root.setLevel(max(log.level, logging.WARNING))
    for library in root.manager.loggerDict.values():
        # A handler on a library's own logger would print what that library says, secrets included.
        if isinstance(library, logging.Logger) and (library.handlers or library.level or not library.propagate):
            library.handlers.clear()
            library.setLevel(logging.NOTSET)
            library.propagate = True
    warnings.showwarning = _show_warning_with(log)


class _LibraryHandler(logging.Handler):
    """Log that a library said something, and where; its message stays with it."""

    def __init__(self, log: EventLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.write(
            record.levelname.lower(),
            "library_message",
            logger=record.name,
            location=f"{record.module}:{record.lineno}",
            **({"error_type": record.exc_info[0].__name__} if record.exc_info and record.exc_info[0] else {}),
        )


def _show_warning_with(log: EventLog) -> Any:
    def show(  # noqa: PLR0913, PLR0917 - the signature of warnings.showwarning
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del message, file, line
        if log.level <= logging.WARNING:
            log.write("warning", "library_warning", category=category.__name__, location=f"{filename}:{lineno}")

    return show
