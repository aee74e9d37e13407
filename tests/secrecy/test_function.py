"""However a run ends, no secret is in what it prints, returns or stores, or in what the real sentry-sdk reports."""

import base64
import hashlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secrecy.canaries import WORDS, canary, leaks
from secrecy.running import PATH, TESTS, run, secrets_of
from secrecy.scenarios import SCENARIOS, Scenario
from testbed.aws_lambda.function import Function, Invoked
from testbed.testbed import CLIENT, TOKENS, Testbed
from token_refresh import errors

GROUP = "unmeasured"

STORED = (TOKENS, CLIENT, "empty")
"""The secrets that a run may write to, or that someone may have thought to."""


@pytest.fixture(scope="module")
def worlds() -> Iterator[dict[bool, Testbed]]:
    """A world for each value of `keeps`, in which scenarios begin anew: a function makes its clients once."""
    with Testbed() as plain, Testbed(table=True, keeps=True) as keeping:
        yield {False: plain, True: keeping}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sentry") / "reports"


@pytest.fixture(scope="module")
def function(file: Path) -> Iterator[Function]:
    environment = {"AWS_REGION": "eu-central-1", "REPORTS": str(file), "PYTHONPATH": PATH}
    with Function(environment, handler="secrecy.watched.handler", task_root=TESTS) as function:
        yield function


def reported(file: Path) -> list[dict[str, Any]]:
    """Return what Sentry was told since the last time."""
    events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    file.write_text("")
    return events


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_secrecy(function: Function, file: Path, worlds: dict[bool, Testbed], scenario: Scenario) -> None:
    """No secret is in output, result, error, label or version ID, nor in frames, breadcrumbs and spans of a report."""
    world = worlds[scenario.keeps]
    world.begin_anew()
    reported(file)

    invocation = run(function, scenario, world)

    events = reported(file)
    ended = invocation.error_type or invocation.payload["outcome"]
    shown = "\n".join([*invocation.logs, repr(invocation.payload), str(invocation.error_message)])
    items = repr(world.table.tables) if world.table else ""
    kept = items + repr(
        [(s.labels, [v.version_id for v in s.versions]) for name in STORED if (s := world.store.secrets.find(name))]
    )
    assert (scenario.ends, []) == (ended, leaks(shown + kept + json.dumps(events), secrets_of(world)))
    assert_well_formed(invocation)
    raised = [error["type"] for event in events for error in event.get("exception", {}).get("values", ())]
    assert ([scenario.ends] if invocation.error_type else []) == raised, "one error, without a chain"


def assert_well_formed(invocation: Invoked) -> None:
    """Every line is one JSON object, but for the one in which the runtime reports an error; one line ends the run."""
    lines = [line for line in invocation.logs if not is_runtime_line(line, invocation)]
    parsed = [json.loads(line) for line in lines]
    assert [] == [line for line in parsed if not {"timestamp", "level", "event", "request_id"} <= set(line)]

    last = [line["event"] for line in parsed if line["event"] in {"token_refresh_finished", "token_refresh_failed"}]
    assert ["token_refresh_failed" if invocation.error_type else "token_refresh_finished"] == last


def is_runtime_line(line: str, invocation: Invoked) -> bool:
    return invocation.error_type is not None and line.startswith(f"[ERROR] {invocation.error_type}: ")


def test_the_tracker_sees_urls_and_local_variables_of_a_run(
    function: Function, file: Path, worlds: dict[bool, Testbed]
) -> None:
    """The suite can see a leak: in a span's URL, in a breadcrumb, and in a local variable."""
    secret, world = canary(), worlds[False]
    reported(file)
    control = f"{world.endpoint.url}?token={secret}"
    function.invoke({"event": {}, "environment": world.environment, "control": control})
    events = reported(file)

    parts = [[event.get(kind) for event in events] for kind in ("spans", "breadcrumbs", "exception")]
    assert [["a part of it"]] * 3 == [leaks(json.dumps(part), {"it": secret}) for part in parts]


def test_libraries(function: Function, worlds: dict[bool, Testbed]) -> None:
    """What libraries log or warn of is reduced to who did so and where."""
    worlds[False].begin_anew()
    invocation = run(function, SCENARIOS[0], worlds[False])

    said = [line for line in map(json.loads, invocation.logs) if line["event"].startswith("library_")]
    common = {"timestamp", "level", "event", "request_id", "secret_id", "location"}
    assert {"library_message": common | {"logger", "error_type"}, "library_warning": common | {"category"}} == {
        line["event"]: {*line, "secret_id"} for line in said
    }


def test_every_error() -> None:
    """The scenarios end in every error that a run can raise."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, Exception)]
    named = {kind.__name__ for kind in kinds if not kind.__subclasses__()}

    assert named == {scenario.ends for scenario in SCENARIOS} & named


def test_canaries() -> None:
    """The search for leaks finds a part, a digest and base64 of a secret, and nothing in other text."""
    secret, other = canary(), canary()
    planted = {"it": secret}

    assert ["a part of it"] == leaks(f"...{secret[10:18]}...", planted)
    for word in WORDS:
        assert ["a digest of it"] == leaks(f"ab{hashlib.sha256((word + secret).encode()).hexdigest()}", planted)
    for before in ("", "x", "xy"):
        assert ["a part of it"] == leaks(base64.b64encode(f"{before}{secret}".encode()).decode(), planted)
    assert [] == leaks(f"{secret[10:17]} {other}", planted)
