import json
import logging
import warnings
from typing import Any

import pytest

from token_refresh.secret_value import MASK, SecretValue
from token_refresh_worker.adapters.telemetry import open_log, take_over_libraries


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert "" == captured.err
    return [json.loads(line) for line in captured.out.splitlines()]


def test_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is one line with timestamp, level, event, and what was bound."""
    open_log("INFO", request_id="r-1", secret_id="tokens", version_id=None).info("refresh_claimed", attempt=1)

    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    expected = {"level": "info", "event": "refresh_claimed", "request_id": "r-1", "secret_id": "tokens", "attempt": 1}
    assert expected == line


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """What lies below the level is not written."""
    log = open_log("WARNING")

    log.info("quiet")
    log.warning("loud", attempt=2)

    assert [("loud", "warning", 2)] == [(line["event"], line["level"], line["attempt"]) for line in lines(capsys)]


@pytest.mark.parametrize(
    "name", ["access_token", "refreshToken", "clientSecret", "password", "Authorization", "body", "cookie"]
)
def test_a_field_that_speaks_of_a_secret_is_masked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is logged under such a name is masked."""
    open_log("INFO").info("event", **{name: "canary"})

    assert MASK == lines(capsys)[0][name]


@pytest.mark.parametrize("name", ["secret_id", "SecretId", "version_id", "ReauthorizationRequired", "claim_id"])
def test_a_field_that_only_sounds_like_it_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Names, identifiers and metrics are what the log is for."""
    open_log("INFO").info("event", **{name: "printed"})

    assert "printed" == lines(capsys)[0][name]


def test_what_json_can_not_hold_is_not_spelled_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A secret value masks itself at any depth, and any other object is named by its type."""
    open_log("INFO").info("event", deep=[{"x": SecretValue("canary")}], other=object())

    (line,) = lines(capsys)
    assert ([{"x": MASK}], "<object>") == (line["deep"], line["other"])


def test_a_library_with_a_log_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A library that keeps its messages from the root logger, as Lambda's runtime may, is taken over like any other."""
    library = logging.getLogger("keeps.its.own")
    library.propagate = False
    library.addHandler(logging.StreamHandler())
    library.setLevel(logging.CRITICAL)

    take_over_libraries("DEBUG", request_id="r-1")
    library.warning("canary")

    (line,) = lines(capsys)
    assert ("library_message", "keeps.its.own") == (line["event"], line["logger"])


@pytest.mark.parametrize("name", ["botocore.parsers", "httpx", "httpcore.http11", "anything"])
def test_a_library_s_message_stays_with_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what a library logs, who said it and where is kept; its text, arguments and exceptions are not."""
    take_over_libraries("DEBUG", request_id="r-1")

    try:
        raise ValueError("canary")  # noqa: TRY301 - an exception with a secret in it is what this is about
    except ValueError:
        logging.getLogger(name).exception("body: %s", "canary", extra={"headers": "canary"})
        logging.getLogger(name).warning("canary %s", "canary")

    failed, warned = lines(capsys)
    assert "canary" not in json.dumps([failed, warned])
    assert ("library_message", name, "ValueError") == (failed["event"], failed["logger"], failed["error_type"])
    assert ("warning", "r-1", "test_telemetry") == (
        warned["level"],
        warned["request_id"],
        warned["location"].split(":")[0],
    )


@pytest.mark.parametrize(
    "name", ["botocore.parsers", "botocore.endpoint", "httpx", "httpcore.http11", "urllib3", "asyncio"]
)
def test_libraries_are_quiet_below_warning(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Botocore logs secret values at DEBUG, and httpx URLs at INFO: neither gets as far as a handler."""
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger(name.split(".", maxsplit=1)[0]).setLevel(logging.DEBUG)
    take_over_libraries("DEBUG")

    logging.getLogger(name).debug("canary")
    logging.getLogger(name).info("canary")

    assert [] == lines(capsys)


def test_a_warning_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Python's warnings would break the format: what category and where is kept, the text is not."""
    take_over_libraries("WARNING")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn_explicit("canary", DeprecationWarning, "library.py", 7)

    (line,) = lines(capsys)
    expected = ("warning", "library_warning", "DeprecationWarning", "library.py:7")
    assert expected == (line["level"], line["event"], line["category"], line["location"])


def test_a_library_s_own_level_is_rounded_down(capsys: pytest.CaptureFixture[str]) -> None:
    """A library may log at a level of its own; the line has the nearest standard level below."""
    take_over_libraries("INFO")

    logging.getLogger("library").log(35, "canary")
    logging.getLogger("library").log(99, "canary")

    assert ["warning", "critical"] == [line["level"] for line in lines(capsys)]
