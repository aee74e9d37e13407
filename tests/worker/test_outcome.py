from dataclasses import replace
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest

from builders import DAY, HOUR, NOW, document, policy
from token_refresh.errors import ReauthorizationRequired, TokenRefreshError, TokensNotStored
from token_refresh_worker.run.outcome import Outcome, OutcomeName, Summary


def outcome(name: str = "refreshed", **changes: Any) -> Outcome:
    stored = document(expires_at=NOW + DAY, issued_at=NOW)
    return Outcome(
        name=OutcomeName(name), secret_id="tokens", version_id="v1", document=stored, policy=policy(), **changes
    )


def summary(ended: Outcome | TokenRefreshError, *, seconds_to_expiry: int | None = 86_400) -> Summary:
    return Summary(
        trigger="schedule",
        secret_id="tokens",
        duration_ms=12,
        attempts=1,
        ended=ended,
        version_id="v1",
        seconds_to_expiry=seconds_to_expiry,
    )


def test_the_result_of_a_run() -> None:
    """An invocation returns outcome, secret, version, expiry, when it is due, and the request: no secret value."""
    expected = {
        "outcome": "refreshed",
        "secret_id": "tokens",
        "version_id": "v1",
        "expires_at": "2026-11-25T12:00:00Z",
        "due_at": "2026-11-25T04:00:00Z",
        "request_id": "r-1",
    }

    assert expected == outcome().as_result("r-1")


def test_a_run_that_yielded_says_until_when() -> None:
    """`retry_at` is there where a run yielded, in its result and in its line, and only there; in UTC wherever it is."""
    yielded = outcome("yielded", retry_at=NOW.astimezone(timezone(HOUR)))

    assert "2026-11-24T12:00:00Z" == yielded.as_result("r-1")["retry_at"]
    assert "2026-11-24T12:00:00Z" == summary(yielded).fields(timestamp_ms=7)["retry_at"]
    assert "retry_at" not in summary(outcome()).fields(timestamp_ms=7)


def test_what_is_not_known_is_null_in_the_result() -> None:
    """A document without an expiry has no moment at which it expires or is due."""
    unknown = Outcome(
        name=OutcomeName.YIELDED, secret_id="t", version_id="v", document=document(expires_at=None), policy=policy()
    )

    result = unknown.as_result(None)

    assert (None, None, None) == (result["expires_at"], result["due_at"], result["request_id"])


@pytest.mark.parametrize(
    ("ended", "event", "counters"),
    [
        (outcome("fresh"), "token_refresh_finished", (0, 0, 0, 0, 0)),
        (outcome("refreshed"), "token_refresh_finished", (1, 0, 0, 0, 0)),
        (outcome("recovered"), "token_refresh_finished", (0, 1, 0, 0, 0)),
        (outcome("superseded"), "token_refresh_finished", (0, 0, 1, 0, 0)),
        (TokensNotStored("x"), "token_refresh_failed", (0, 0, 0, 1, 0)),
        (ReauthorizationRequired("x"), "token_refresh_failed", (0, 0, 0, 1, 1)),
    ],
)
def test_the_last_line_is_the_metric(
    ended: Outcome | TokenRefreshError, event: str, counters: tuple[int, int, int, int, int]
) -> None:
    """Every run counts as 0 or 1 in each counter, so that a sum and an alarm over them mean something."""
    last = summary(ended)
    fields = last.fields(timestamp_ms=7)

    assert event == last.event
    names = ("Refreshed", "Recovered", "Superseded", "Failed", "ReauthorizationRequired")
    assert counters == tuple(fields[name] for name in names)
    assert (12, 86_400, "tokens") == (fields["DurationMs"], fields["SecondsToExpiry"], fields["SecretId"])
    assert (12, 86_400, "v1") == (fields["duration_ms"], fields["seconds_to_expiry"], fields["version_id"])
    expected = {
        "Timestamp": 7,
        "CloudWatchMetrics": [
            {
                "Namespace": "TokenRefresh",
                "Dimensions": [["SecretId"]],
                "Metrics": [
                    *({"Name": name, "Unit": "Count"} for name in names),
                    {"Name": "DurationMs", "Unit": "Milliseconds"},
                    {"Name": "SecondsToExpiry", "Unit": "Seconds"},
                ],
            }
        ],
    }
    assert expected == fields["_aws"]


def test_the_page_names_every_metric() -> None:
    """docs/configuration.md has each metric that a line can have, in backquotes."""
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    last = replace(summary(outcome()), seconds_after_due=5)

    names = [metric["Name"] for metric in last.fields(timestamp_ms=7)["_aws"]["CloudWatchMetrics"][0]["Metrics"]]  # type: ignore[index]  # JSON

    assert 8 == len(names)
    assert [] == [name for name in names if f"`{name}`" not in page]


def test_a_failure_says_what_failed() -> None:
    """A failed run's line has the error's type and message."""
    fields = summary(TokensNotStored("what to do")).fields(timestamp_ms=7)

    assert ("TokensNotStored", "what to do") == (fields["error_type"], fields["error"])
    assert "outcome" not in fields


def test_what_is_not_known_is_left_out_of_the_metric() -> None:
    """An expiry that nobody knows is left out, so an alarm on missing data can use it."""
    fields = summary(TokensNotStored("x"), seconds_to_expiry=None).fields(timestamp_ms=7)

    assert "SecondsToExpiry" not in str(fields)
    assert "seconds_to_expiry" not in fields
