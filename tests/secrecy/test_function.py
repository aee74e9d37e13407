import base64
import hashlib
import inspect
import json
from collections.abc import Callable, Iterator

import pytest

from secrecy.canaries import WORDS, canary, leaks
from secrecy.running import PATH, TESTS, run, secrets_of
from secrecy.scenarios import SCENARIOS, Scenario
from testbed.aws_lambda.function import Function, Invoked
from testbed.testbed import CLIENT, TOKENS, Testbed
from token_refresh import errors

STORED = (TOKENS, CLIENT, "empty")
"""The secrets that a run may write to, or that someone may have thought to."""


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    environment = {"AWS_REGION": "eu-central-1", "PYTHONPATH": PATH}
    with Function(environment, handler="secrecy.noisy.handler", task_root=TESTS) as function:
        yield function


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_secrecy(function: Function, world_of: Callable[[Scenario], Testbed], scenario: Scenario) -> None:
    """However a run ends, no secret is in what it prints, returns or raises, nor in a label or a version ID."""
    world = world_of(scenario)

    invocation = run(function, scenario, world)

    ended = invocation.error_type or invocation.payload["outcome"]
    shown = "\n".join([*invocation.logs, repr(invocation.payload), str(invocation.error_message)])
    items = repr(world.table.tables) if world.table else ""
    kept = items + repr(
        [(s.labels, [v.version_id for v in s.versions]) for name in STORED if (s := world.store.secrets.find(name))]
    )
    assert (scenario.ends, []) == (ended, leaks(shown + kept, secrets_of(world)))
    assert_well_formed(invocation)


def assert_well_formed(invocation: Invoked) -> None:
    """Every line is one JSON object, but for the one in which the runtime reports an error; one line ends the run."""
    lines = [line for line in invocation.logs if not is_runtime_line(line, invocation)]
    parsed = [json.loads(line) for line in lines]
    assert [] == [line for line in parsed if not {"timestamp", "level", "event", "request_id"} <= set(line)]

    last = [line["event"] for line in parsed if line["event"] in {"token_refresh_finished", "token_refresh_failed"}]
    assert ["token_refresh_failed" if invocation.error_type else "token_refresh_finished"] == last


def is_runtime_line(line: str, invocation: Invoked) -> bool:
    return invocation.error_type is not None and line.startswith(f"[ERROR] {invocation.error_type}: ")


def test_libraries(function: Function, world_of: Callable[[Scenario], Testbed]) -> None:
    """What libraries log or warn of is reduced to who did so and where."""
    invocation = run(function, SCENARIOS[0], world_of(SCENARIOS[0]))

    said = [line for line in map(json.loads, invocation.logs) if line["event"].startswith("library_")]
    assert {
        "library_message": {
            "timestamp",
            "level",
            "event",
            "request_id",
            "secret_id",
            "logger",
            "location",
            "error_type",
        },
        "library_warning": {"timestamp", "level", "event", "request_id", "secret_id", "category", "location"},
    } == {line["event"]: {*line, "secret_id"} for line in said}


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
