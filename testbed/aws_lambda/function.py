"""The real handler in a process of its own, under Lambda's own runtime client (`awslambdaric`).

    with Function({"TOKEN_SECRET_ID": "tokens", "AWS_REGION": "us-east-1", ...}) as function:
        cold = function.invoke({})
        warm = function.invoke({"force": True})

One `Function` is one execution environment of Lambda: it takes one event at a time, keeps its process between them, and
is over once that process ends. For runs that race, start several and `begin` an invocation in each.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from testbed.aws_lambda.runtime_api import InvocationResult, RuntimeApi

SCHEDULED_EVENT = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}
HANDLER = "token_refresh_worker.handlers.refresh"
_EXIT_ERROR = "Runtime.ExitError"
_LATE_SECONDS = 60

# A function sees what Lambda gives it and no more: an AWS profile or proxy of this machine must not reach it.
# What is inherited finds Python's modules, and lets coverage measure in the process.
_INHERITED = ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoked:
    """What came of one event: a payload, or an error as Lambda's callers see it."""

    payload: Any
    error_type: str | None
    error_message: str | None
    logs: tuple[str, ...]
    """The lines that the process printed since the last one, on standard output and error, in order."""


class Function:
    """One function process and the Runtime API server that it polls, from `start` to `close`."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        handler: str = HANDLER,
        task_root: Path | None = None,
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        """Describe the process; `start` or `with` runs it.

        Args:
            environment: What the function is configured with, on top of what Lambda itself sets.
            handler: Module and function, as in Lambda's `Handler`.
            task_root: Folder that the process runs in and imports the handler from, where it isn't installed.
            python: Interpreter and its options, where it isn't the one that runs now.
        """
        self._handler = handler
        self._task_root = task_root
        self._python = tuple(python)
        self._environment = _lambda_environment(handler) | dict(environment)
        self._one_at_a_time = ThreadPoolExecutor(max_workers=1)
        self._cleanup = contextlib.ExitStack()
        self._reported_bytes = 0

    def start(self) -> Self:
        """Start the process and return at once; its cold start goes on in the background."""
        try:
            self._start()
        except BaseException:  # Ctrl-C included: nothing may be left over
            self.close()
            raise
        return self

    def wait_until_ready(self, timeout_seconds: float = 120) -> Self:
        """Wait until the cold start is over: the process asks for an event, or has failed to load the handler."""
        if not self._api.initialized.wait(timeout_seconds):
            raise TimeoutError(f"the function was not ready within {timeout_seconds} s")
        return self

    def invoke(self, event: object, *, request_id: str | None = None, deadline_seconds: float = 60) -> Invoked:
        """Run the handler on `event` and wait for what comes of it.

        A process that outlives the deadline by a minute is killed (`Sandbox.Timedout`). Lambda does so at once; here,
        other processes may keep it waiting. One that ends by itself or by a signal is a `Runtime.ExitError`.
        """
        self._api.send(event, request_id=request_id or str(uuid.uuid4()), deadline_seconds=deadline_seconds)
        result = self._wait_for_result(deadline_seconds)
        return Invoked(
            payload=result.payload,
            error_type=result.error_type,
            error_message=result.error_message,
            logs=self._lines_printed(),
        )

    def begin(self, event: object, *, request_id: str | None = None, deadline_seconds: float = 60) -> Future[Invoked]:
        """Do as `invoke` does without waiting: events that were begun run one after the other."""
        return self._one_at_a_time.submit(self.invoke, event, request_id=request_id, deadline_seconds=deadline_seconds)

    @property
    def peak_memory_mb(self) -> float:
        """The most memory that the running process has held so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    @property
    def cpu_ms(self) -> float:
        """The time that the running process has had of processors so far."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def kill(self) -> None:
        """End the process with SIGKILL, in the middle of whatever it does, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Kill the process if it still runs, and close the server that it polled."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self) -> None:
        self._api = self._cleanup.enter_context(RuntimeApi())
        # A file, not a pipe: what was printed before an result is in it when the result arrives, with no reader to wait
        # for and no buffer to fill up.
        self._output = self._cleanup.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the rest
        self._process = subprocess.Popen(
            [*self._python, "-m", "awslambdaric", self._handler],
            env=self._environment | {"AWS_LAMBDA_RUNTIME_API": self._api.address},
            cwd=self._task_root,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the process that started it, which then closes this one
        )
        self._cleanup.callback(self._one_at_a_time.shutdown)
        self._cleanup.callback(self.kill)
        threading.Thread(target=self._report_exit, daemon=True).start()

    def _wait_for_result(self, deadline_seconds: float) -> InvocationResult:
        try:
            result = self._api.results.get(timeout=deadline_seconds + _LATE_SECONDS)
        except queue.Empty:
            self.kill()
            message = f"Task timed out after {deadline_seconds:.2f} seconds"
            return InvocationResult(error_type="Sandbox.Timedout", error_message=message)
        if result.error_type == _EXIT_ERROR:
            self._api.results.put(result)  # every later event meets the same end
        return result

    def _report_exit(self) -> None:
        code = self._process.wait()
        how = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        self._api.results.put(
            InvocationResult(error_type=_EXIT_ERROR, error_message=f"Runtime exited with error: {how}")
        )
        self._api.initialized.set()

    def _lines_printed(self) -> tuple[str, ...]:
        """Return what was printed since the last invocation; what the cold start printed belongs to the first."""
        size = os.fstat(self._output.fileno()).st_size
        printed = os.pread(self._output.fileno(), size - self._reported_bytes, self._reported_bytes)
        self._reported_bytes = size
        return tuple(printed.decode(errors="replace").removesuffix("\n").split("\n")) if printed else ()


def _lambda_environment(handler: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": "token-refresh",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "HOME": "/nonexistent",  # no ~/.aws of this machine's user
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": handler,
    }
