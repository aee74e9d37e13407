"""The real handler in an operating system process of its own, which can be killed at any point.

The process is forked off one that has imported everything already, so that it starts in hundredths of a second and
hundreds of kills take a minute. Under Lambda's own runtime client it runs in `testbed.aws_lambda.function`.
"""

import contextlib
import io
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import Any, Final, Self
from unittest import mock

SCHEDULED: Final = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}
FORCED: Final = {"force": True}
KILLED: Final = "killed"

_PRELOADED: Final = (
    "encodings.idna",
    "botocore.parsers",
    "httpcore",  # httpx imports it with its first client
    "races.contenders",
    "testbed.worker",
    "tenacity",
    "token_refresh_worker.adapters.token_endpoint",
    "token_refresh_worker.handlers",
    "token_refresh_worker.run",
)
PROCESSES: Final = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(list(_PRELOADED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended, as its caller and its log tell."""

    name: str
    """The outcome, the class name of the error, or `killed`."""
    payload: Mapping[str, Any] | None
    message: str | None
    lines: tuple[str, ...]
    """What the process printed on standard output and error."""

    @property
    def last_lines(self) -> list[dict[str, Any]]:
        """Return the lines that say how a run ended; there must be exactly one."""
        parsed = [json.loads(line) for line in self.lines]
        return [line for line in parsed if line["event"] in {"token_refresh_finished", "token_refresh_failed"}]


class LambdaContext:
    """Lambda's context object, as far as the handler knows it."""

    def __init__(self, request_id: str, deadline_seconds: float) -> None:
        self.aws_request_id = request_id
        self._deadline_at = time.monotonic() + deadline_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the function's timeout."""
        return max(0, int((self._deadline_at - time.monotonic()) * 1000))


class Worker:
    """One run in one process, from the moment it is made."""

    def __init__(
        self,
        environment: Mapping[str, str],
        event: object,
        *,
        request_id: str | None = None,
        deadline_seconds: float = 90.0,
        start: Barrier | None = None,
    ) -> None:
        """Start the process.

        Args:
            environment: All that it finds in its environment.
            event: What the handler gets.
            request_id: Lambda's request ID; its retries and duplicates share one.
            deadline_seconds: The function's timeout.
            start: Where it waits for others before the run begins.
        """
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the run has ended
        self._result, result = PROCESSES.Pipe(duplex=False)
        context = (request_id or str(uuid.uuid4()), deadline_seconds)
        self._process = PROCESSES.Process(
            target=_work,
            args=(dict(environment), event, context, start, _Inherited(self._output), result),
            daemon=True,  # it must not outlive a test that failed
        )
        self._process.start()
        result.close()

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.is_alive()

    def kill(self) -> None:
        """End the process with SIGKILL, in the middle of whatever it does, and wait until it is gone."""
        self._process.kill()
        self._process.join()

    def wait(self) -> Ended:
        """Wait until the run has ended, and say how."""
        try:
            name, payload, message = self._result.recv()
        except EOFError:
            name, payload, message = KILLED, None, None
        self._process.join()
        if name == KILLED and self._process.exitcode != -signal.SIGKILL:
            raise RuntimeError(f"a worker ended by itself, with exit code {self._process.exitcode}")
        self._result.close()
        with self._output as output:
            output.seek(0)
            lines = output.read().decode().splitlines()
        return Ended(name=name, payload=payload, message=message, lines=tuple(lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._result.close()
        self._output.close()


def run_here(environment: Mapping[str, str], event: object, context: LambdaContext | None = None) -> Ended:
    """Run in this process, as a warm function does: where nothing is killed, a process of its own shows no more."""
    from token_refresh.errors import TokenRefreshError  # noqa: PLC0415 - as in `_work`
    from token_refresh_worker.handlers import refresh  # noqa: PLC0415 - likewise

    with mock.patch.dict(os.environ, environment, clear=True), contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            payload, error = refresh(event, context or LambdaContext("the-request", 90.0)), None
        except TokenRefreshError as raised:
            payload, error = None, raised
    return Ended(
        name=type(error).__name__ if error else str(payload and payload["outcome"]),
        payload=payload,
        message=str(error) if error else None,
        lines=tuple(printed.getvalue().splitlines()),
    )


def wait_for_all(workers: Sequence[Worker]) -> list[Ended]:
    """Wait for runs that were started together."""
    return [worker.wait() for worker in workers]


class _Inherited:
    """A file that a started process shares, since a path would leave something behind."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (multiprocessing.reduction.DupFd(self._file.fileno()),)


def _reopened(handle: Any) -> int:
    return int(handle.detach())


def _work(  # noqa: PLR0917 - what a process starts with, passed by the line that starts it
    environment: dict[str, str],
    event: object,
    context: tuple[str, float],
    start: Barrier | None,
    output: Any,
    result: Connection,
) -> None:
    """In the started process: run the handler, and tell how that ended."""
    from token_refresh_worker.handlers import refresh  # noqa: PLC0415 - imported before the fork, by the process that forks

    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(output, descriptor)
    os.environ.clear()
    os.environ.update(environment)
    if start is not None:
        start.wait()
    try:
        payload = refresh(event, LambdaContext(*context))
    except Exception as error:  # noqa: BLE001 - whatever it is, the test has to see it
        shown = io.StringIO()
        traceback.print_exception(error, file=shown)
        result.send((type(error).__name__, None, shown.getvalue()))
    else:
        result.send((payload["outcome"], payload, None))
