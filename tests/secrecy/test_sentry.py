"""The real sentry-sdk finds no secret of a reader in local variables of any frame, in breadcrumbs, or in spans."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from secrecy.canaries import canary, leaks
from secrecy.running import PATH, TESTS

GROUP = "unmeasured"

NAMED = {
    "SecretStoreUnavailable",
    "InvalidSecretDocument",
    "SecretEmpty",
    "SecretNotFound",
    "TokenExpired",
    "InternalError",
}


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
    assert background
    for name, report in background.items():
        assert None is report["raised"], name
        assert ["1 background read"] == [event["message"] for event in errors_of(report)], name


def test_a_defect_is_named_by_its_place(reports: dict[str, Any]) -> None:
    """A defect of the reader is an InternalError that quotes no message: that may hold a value."""
    value = errors_of(reports["defect"])[0]["exception"]["values"][0]
    assert "InternalError" == value["type"]
    assert value["value"].startswith("TypeError at sentry_reader.py:")
