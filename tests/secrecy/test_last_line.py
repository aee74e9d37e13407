import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import UNHURRIED, examples
from testbed.provider import script
from testbed.testbed import Testbed
from testbed.worker import LambdaContext, run_here

DUE = "as it is"
EVENTS = st.one_of(
    st.sampled_from([{}, {"force": True}, {"dry_run": True}]),
    st.sampled_from([{"secret_id": "missing"}, {"force": None}, None]),
    st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=2),
)
# Runs that come far are of more interest than those that end at a document that is none.
DOCUMENTS = st.one_of(st.just(DUE), st.just(DUE), st.just(DUE), st.binary(min_size=1, max_size=20) | st.text())
RESPONSES = st.sampled_from(
    [
        *[script.Script()] * 6,
        script.close(),
        script.close(commit=True),
        script.html(502),
        script.html(403),
        script.error("invalid_client", http_status=401),
        script.status(429, headers={"Retry-After": "600"}),
        script.raw(b"\0"),
    ]
)
FAULTS = st.none() | st.tuples(
    st.sampled_from(["deny", "drop_after", "drop_before", "throttle", "unavailable"]), st.integers(1, 10)
)
ENVIRONMENTS = st.dictionaries(
    st.sampled_from(["LOG_LEVEL", "REFRESH_WINDOW_SECONDS", "REQUEST_TIMEOUT_SECONDS", "TOKEN_ENDPOINT", "AWS_REGION"]),
    st.sampled_from(["", "1", "DEBUG", "https://[", "x"]),
    max_size=1,
)


@pytest.fixture(scope="module")
def world() -> Iterator[Testbed]:
    with Testbed() as world:
        yield world


@settings(UNHURRIED, max_examples=examples(200))
@given(
    event=EVENTS,
    document=DOCUMENTS,
    response=RESPONSES,
    fault=FAULTS,
    environment=ENVIRONMENTS,
    left_seconds=st.sampled_from([0.0, 12.0, 100.0]),
)
def test_last_line(  # noqa: PLR0917 - all that a run meets
    world: Testbed,
    event: Any,
    document: str | bytes,
    response: script.Script,
    fault: tuple[Any, int] | None,
    environment: dict[str, str],
    left_seconds: float,
) -> None:
    """A run ends with exactly one last line and either a result or a named error, whatever it meets."""
    world.begin_anew()
    store(world, document)
    world.endpoint.play(response)
    if fault:
        world.store.fault(fault[0], nth=fault[1])

    ended = run_here(world.environment | environment, event, LambdaContext("the-request", left_seconds))

    assert [ended.name] == [line.get("outcome") or line["error_type"] for line in ended.last_lines]
    assert [json.loads(ended.lines[-1])] == ended.last_lines
    assert "InternalError" != ended.name


def store(world: Testbed, document: str | bytes) -> None:
    if document == DUE:
        return
    value = {"SecretBinary": document} if isinstance(document, bytes) else {"SecretString": document or "{}"}
    world.store.call("PutSecretValue", {"SecretId": "tokens", "ClientRequestToken": "x" * 32, **value})
