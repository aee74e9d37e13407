from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from testbed.aws_lambda.function import Function

if TYPE_CHECKING:
    from pathlib import Path

HANDLER = """
    import os, sys, threading

    print("cold start")

    def handler(event, context):
        print("standard output")
        print("standard error", file=sys.stderr)
        match event.get("do"):
            case "raise":
                raise ValueError("what went wrong")
            case "exit":
                os._exit(3)
            case "hang":
                threading.Event().wait()
        return {
            "remaining_ms": context.get_remaining_time_in_millis(),
            "request_id": context.aws_request_id,
            "process": os.getpid(),
            "environment": dict(os.environ),
        }
"""


@pytest.fixture
def task_root(tmp_path: Path) -> Path:
    (tmp_path / "tiny.py").write_text(textwrap.dedent(HANDLER))
    return tmp_path


@pytest.fixture
def function(task_root: Path) -> Function:
    return Function({"GIVEN": "value"}, handler="tiny.handler", task_root=task_root)


def test_payload(function: Function) -> None:
    """The handler gets the request ID and the time left as Lambda's context, and its result comes back."""
    with function:
        invocation = function.invoke({}, request_id="the-request", deadline_seconds=30)

    assert (None, None) == (invocation.error_type, invocation.error_message)
    assert "the-request" == invocation.payload["request_id"]
    assert 0 < invocation.payload["remaining_ms"] <= 30_000


def test_warm(function: Function) -> None:
    """Later events meet the same process, and each invocation has the lines printed since the one before."""
    with function:
        cold, warm = function.invoke({}), function.invoke({})

    assert cold.payload["process"] == warm.payload["process"]
    assert ("cold start", "standard output", "standard error") == cold.logs
    assert ("standard output", "standard error") == warm.logs


def test_environment(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function sees what it is given and what Lambda sets, not what this machine is configured with."""
    monkeypatch.setenv("AWS_PROFILE", "somebody")

    with function:
        environment = function.invoke({}).payload["environment"]

    assert "value" == environment["GIVEN"]
    assert environment["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert "AWS_PROFILE" not in environment


def test_error(function: Function) -> None:
    """A raised error comes back by type and message, is in the logs, and leaves the process usable."""
    with function:
        failed, after = function.invoke({"do": "raise"}), function.invoke({})

    assert ("ValueError", "what went wrong") == (failed.error_type, failed.error_message)
    assert failed.logs[-1].startswith("[ERROR] ValueError: what went wrong")
    assert after.error_type is None


def test_initialization_error(task_root: Path) -> None:
    """A handler that can't be loaded is the error of the first invocation."""
    with Function({}, handler="tiny.missing", task_root=task_root) as function:
        function.wait_until_ready()

        assert "Runtime.HandlerNotFound" == function.invoke({}).error_type
        assert "Runtime.ExitError" == function.invoke({}).error_type


def test_exit(function: Function) -> None:
    """A process that ends by itself is an error of this invocation and of all later ones."""
    with function:
        ended, after = function.invoke({"do": "exit"}), function.invoke({})

    assert ("Runtime.ExitError", "Runtime exited with error: exit status 3") == (ended.error_type, ended.error_message)
    assert "Runtime.ExitError" == after.error_type
    assert () == after.logs


def test_kill(function: Function) -> None:
    """If the process is killed in the middle of an invocation, the error names the signal."""
    with function:
        pending = function.begin({"do": "hang"})
        function.kill()

        assert "Runtime exited with error: signal: SIGKILL" == pending.result().error_message


def test_deadline(function: Function) -> None:
    """A run that outlives its deadline is killed, as Lambda does."""
    with function:
        invocation = function.wait_until_ready().invoke({"do": "hang"}, deadline_seconds=0.05)

        assert ("Sandbox.Timedout", "Task timed out after 0.05 seconds") == (
            invocation.error_type,
            invocation.error_message,
        )
        assert "Runtime.ExitError" == function.invoke({}).error_type


def test_several(task_root: Path) -> None:
    """Several function processes run side by side, each behind its own Runtime API server."""
    functions = [Function({}, handler="tiny.handler", task_root=task_root) for _ in range(3)]
    with functions[0], functions[1], functions[2]:
        pending = [function.wait_until_ready().begin({}) for function in functions]

        assert 3 == len({invocation.result().payload["process"] for invocation in pending})
