import textwrap
from pathlib import Path

import pytest

from testbed.aws_lambda.function import Function

HANDLER = """
    import os, sys

    print("cold start")

    def handler(event, context):
        print("standard output")
        print("standard error", file=sys.stderr)
        if event.get("do") == "raise":
            raise ValueError("what went wrong")
        return {"process": os.getpid(), "environment": dict(os.environ)}
"""


@pytest.fixture
def task_root(tmp_path: Path) -> Path:
    (tmp_path / "tiny.py").write_text(textwrap.dedent(HANDLER))
    return tmp_path


@pytest.fixture
def function(task_root: Path) -> Function:
    return Function({"GIVEN": "value"}, handler="tiny.handler", task_root=task_root)


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
