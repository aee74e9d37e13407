"""The real sentry-sdk finds no secret: not in local variables of any frame, nor in breadcrumbs, nor in spans."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secrecy.canaries import canary, leaks
from secrecy.running import PATH, TESTS, run, secrets_of
from secrecy.scenarios import SCENARIOS, Scenario, ending
from testbed.aws_lambda.function import Function
from testbed.testbed import Testbed

NAMED = {
    "SecretStoreUnavailable",
    "InvalidSecretDocument",
    "SecretEmpty",
    "SecretNotFound",
    "TokenExpired",
    "InternalError",
}
IN_QUERY = [
    ending(f"in the query, {profile}", "RefreshOutcomeUnknown", environment={"PROVIDER": profile})
    for profile in ("facebook", "instagram", "threads")
]
"""Providers that want the token in the URL, which tracing records. The test's endpoint refuses GET: that is enough."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sentry") / "reports"


@pytest.fixture(scope="module")
def function(file: Path) -> Iterator[Function]:
    environment = {"AWS_REGION": "eu-central-1", "REPORTS": str(file), "PYTHONPATH": PATH}
    with Function(environment, handler="secrecy.watched.handler", task_root=TESTS) as function:
        yield function


def reported(file: Path) -> list[dict[str, Any]]:
    """Give what was reported since the last time."""
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    file.write_text("")
    return events


def spans(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [span for event in events for span in event.get("spans", ())]


@pytest.mark.parametrize("scenario", [*SCENARIOS, *IN_QUERY], ids=lambda scenario: scenario.name)
def test_no_report_of_a_run_holds_a_secret(
    function: Function, file: Path, world_of: Callable[[Scenario], Testbed], scenario: Scenario
) -> None:
    """However a run ends, frames, breadcrumbs and spans hold no secret, and one error is reported without a chain."""
    reported(file)
    world = world_of(scenario)

    invocation = run(function, scenario, world)

    events = reported(file)
    assert [] == leaks(json.dumps(events), secrets_of(world))
    assert scenario.ends == (invocation.error_type or invocation.payload["outcome"])
    raised = [error["type"] for event in events for error in event.get("exception", {}).get("values", ())]
    assert ([scenario.ends] if invocation.error_type else []) == raised


def test_the_tracker_sees_urls_and_local_variables_of_a_run(function: Function, file: Path) -> None:
    """The suite can see a leak: in a span's URL, in a breadcrumb, and in a local variable."""
    secret = canary()
    with Testbed() as world:
        url = f"{world.endpoint.url}?token={secret}"
        function.invoke({"event": {}, "environment": world.environment, "control": url})
    events = reported(file)

    kinds = ("breadcrumbs", "exception")
    parts = [spans(events), *([event.get(kind) for event in events] for kind in kinds)]
    assert [["a part of it"]] * 3 == [leaks(json.dumps(part), {"it": secret}) for part in parts]


@pytest.fixture(scope="module")
def planted() -> str:
    return canary()


@pytest.fixture(scope="module")
def reports(planted: str) -> dict[str, Any]:
    program = subprocess.run(
        [sys.executable, "-m", "secrecy.sentry_reader"],
        input=planted,
        check=False,
        capture_output=True,
        text=True,
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": PATH},
    )
    assert 0 == program.returncode, program.stderr
    found: dict[str, Any] = json.loads(program.stdout)
    return found


def errors_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Leave out the transactions."""
    return [event for event in report["events"] if event.get("type") != "transaction"]


def test_the_tracker_sees_local_variables(reports: dict[str, Any], planted: str) -> None:
    """The suite can see a leak: a local variable of an ordinary frame is reported, from a thread too."""
    for name in ("control", "control in a thread"):
        assert leaks(json.dumps(reports[name]), {"canary": planted})


def test_no_event_holds_a_secret(reports: dict[str, Any], planted: str) -> None:
    """No error of a reader, and no frame of its traceback, holds a part of a token or a secret."""
    leaking = [name for name, report in reports.items() if leaks(json.dumps(report), {"canary": planted})]
    assert ["control", "control in a thread", "requests, no connection"] == leaking


def test_frames_of_urllib3_show_the_header(reports: dict[str, Any], planted: str) -> None:
    """A limit: where `requests` finds no connection, urllib3's own frames hold the header, as for any caller of it."""
    holding = {
        frame["module"]
        for error in errors_of(reports["requests, no connection"])
        for raised in error["exception"]["values"]
        for frame in raised["stacktrace"]["frames"]
        if leaks(json.dumps(frame), {"canary": planted})
    }
    assert "urllib3.connectionpool" in holding
    assert not [module for module in holding if module.startswith(("token_refresh", "requests"))]


def test_every_error_is_named(reports: dict[str, Any]) -> None:
    """Whatever a response lacks or holds instead, the error is one of the reader's own, reported once."""
    for name, report in reports.items():
        if not name.startswith(("control", "in the background")) and not name.endswith("no connection"):
            assert report["raised"] in NAMED, name
            assert 1 == len(errors_of(report)), name
            assert 1 == len(errors_of(report)[0]["exception"]["values"]), f"{name}: a chain of errors"


def test_no_error_escapes_the_background_thread(reports: dict[str, Any]) -> None:
    """A malformed response in the background raises nothing in its thread: a valid token is served on."""
    background = {name: report for name, report in reports.items() if name.startswith("in the background")}
    assert 6 == len(background)
    for name, report in background.items():
        assert None is report["raised"], name
        assert ["1 background read"] == [event["message"] for event in errors_of(report)], name


def test_a_defect_is_named_by_its_place(reports: dict[str, Any]) -> None:
    """A defect of the reader is an InternalError that quotes no message: that may hold a value."""
    value = errors_of(reports["defect"])[0]["exception"]["values"][0]
    assert "InternalError" == value["type"]
    assert value["value"].startswith("TypeError at sentry_reader.py:")
