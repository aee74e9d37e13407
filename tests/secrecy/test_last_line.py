import contextlib
import io
import json
import os
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from examples import UNHURRIED, examples
from testbed.provider import script
from testbed.testbed import Testbed
from testbed.worker import Context
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.handlers import refresh

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
    event: Any,
    document: str | bytes,
    response: script.Script,
    fault: tuple[Any, int] | None,
    environment: dict[str, str],
    left_seconds: float,
) -> None:
    """A run ends with exactly one last line and either a result or a named error, whatever it meets."""
    with Testbed() as world, contextlib.redirect_stdout(io.StringIO()) as printed:
        store(world, document)
        world.endpoint.play(response)
        if fault:
            world.store.fault(fault[0], nth=fault[1])
        with mock.patch.dict(os.environ, world.environment | environment, clear=True):
            try:
                ended = refresh(event, Context("the-request", left_seconds))["outcome"]
            except TokenRefreshError as error:
                ended = type(error).__name__

    lines = [json.loads(line) for line in printed.getvalue().splitlines()]
    last = [line for line in lines if line["event"] in {"token_refresh_finished", "token_refresh_failed"}]
    assert [ended] == [line.get("outcome") or line["error_type"] for line in last]
    assert lines[-1:] == last
    assert "InternalError" != ended


def store(world: Testbed, document: str | bytes) -> None:
    if document == DUE:
        return
    value = {"SecretBinary": document} if isinstance(document, bytes) else {"SecretString": document or "{}"}
    world.store.call("PutSecretValue", {"SecretId": "tokens", "ClientRequestToken": "x" * 32, **value})
