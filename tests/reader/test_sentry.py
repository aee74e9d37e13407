"""The real sentry-sdk, with the local variables of every frame, finds no token and no secret."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from secrecy.canaries import canary, leaks

TESTS = Path(__file__).parents[1]
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
    run = subprocess.run(
        [sys.executable, "-m", "reader.sentry_program"],
        input=planted,
        check=False,
        capture_output=True,
        text=True,
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert 0 == run.returncode, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_the_tracker_sees_local_variables(reports: dict[str, Any], planted: str) -> None:
    """The suite can see a leak: a local variable of an ordinary frame is reported, from a thread too."""
    for name in ("control", "control in a thread"):
        assert leaks(json.dumps(reports[name]), {"canary": planted})


def test_no_event_holds_a_secret(reports: dict[str, Any], planted: str) -> None:
    """No error of a reader, and no frame of its traceback, holds a part of a token or a secret."""
    leaking = [name for name, report in reports.items() if leaks(json.dumps(report), {"canary": planted})]
    assert ["control", "control in a thread"] == leaking


def test_every_error_is_named(reports: dict[str, Any]) -> None:
    """Whatever a response lacks or holds instead, the error is one of the reader's own, reported once."""
    for name, report in reports.items():
        if not name.startswith(("control", "in the background")):
            assert report["raised"] in NAMED, name
            assert 1 == len(report["events"]), name
            assert 1 == len(report["events"][0]["exception"]["values"]), f"{name}: a chain of errors"


def test_no_error_escapes_the_background_thread(reports: dict[str, Any]) -> None:
    """A malformed response in the background raises nothing in its thread: a valid token is served on."""
    background = {name: report for name, report in reports.items() if name.startswith("in the background")}
    assert 6 == len(background)
    for name, report in background.items():
        assert None is report["raised"], name
        assert ["1 background read"] == [event["message"] for event in report["events"]], name


def test_malformed_responses_name_what_is_missing(reports: dict[str, Any]) -> None:
    """The message names the member of the response, the secret and the region, and what to check."""
    event = reports["token, no time"]["events"][0]
    expected = (
        "secretsmanager:GetSecretValue on secret tokens in eu-central-1 got a response without a usable CreatedDate: "
        "check AWS_ENDPOINT_URL and the proxy; something other than AWS seems to respond"
    )
    assert expected == event["exception"]["values"][0]["value"]


def test_a_defect_is_named_by_its_place(reports: dict[str, Any]) -> None:
    """A defect of the reader is an InternalError that quotes no message: that may hold a value."""
    value = reports["defect"]["events"][0]["exception"]["values"][0]
    assert "InternalError" == value["type"]
    assert value["value"].startswith("TypeError at sentry_program.py:")
