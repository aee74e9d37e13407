from datetime import timezone
from pathlib import Path
from typing import Any

import pytest

from testbed.builders import DAY, HOUR, NOW, document, policy
from token_refresh.errors import ReauthorizationRequired, ResponseKept, TokenRefreshError, TokensNotStored
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.run.outcome import CurrentTokens, Outcome, OutcomeName, last_line

TOKENS = CurrentTokens.of(
    TokenSet(version_id="v1", stored_at=NOW, document=document(expires_at=NOW + DAY, issued_at=NOW)), policy()
)


def outcome(name: str = "refreshed", **changes: Any) -> Outcome:
    return Outcome(
        name=OutcomeName(name), secret_id="tokens", tokens=TOKENS, at=NOW, requests=1, provider="xero", **changes
    )


def failure(error: TokenRefreshError, tokens: CurrentTokens = TOKENS) -> Outcome:
    return Outcome(error=error, secret_id="tokens", at=NOW, requests=1, provider="xero", tokens=tokens)


def line(ended: Outcome, **changes: Any) -> dict[str, Any]:
    return last_line(ended, trigger="schedule", secret_id="tokens", duration_ms=12, **changes)


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
    assert "2026-11-24T12:00:00Z" == line(yielded)["retry_at"]
    assert "retry_at" not in line(outcome())


@pytest.mark.parametrize(
    ("ended", "counters"),
    [
        (outcome("fresh"), (0, 0, 0, 0, 0)),
        (outcome("refreshed"), (1, 0, 0, 0, 0)),
        (outcome("recovered"), (0, 1, 0, 0, 0)),
        (outcome("superseded"), (0, 0, 1, 0, 0)),
        (failure(TokensNotStored("x")), (0, 0, 0, 1, 0)),
        (failure(ReauthorizationRequired("x")), (0, 0, 0, 1, 1)),
        (failure(ResponseKept("x")), (0, 0, 0, 1, 1)),
    ],
)
def test_the_last_line_is_the_metric(ended: Outcome, counters: tuple[int, int, int, int, int]) -> None:
    """A run says 0 or 1 for each counter; what is 0 and the duration, which Lambda has, are not billed as metrics."""
    fields = line(ended)

    names = ("Refreshed", "Recovered", "Superseded", "Failed", "ReauthorizationRequired")
    assert counters == tuple(fields[name] for name in names)
    assert (12, 86_400, "tokens") == (fields["DurationMs"], fields["SecondsToExpiry"], fields["SecretId"])
    assert (12, 86_400, "v1") == (fields["duration_ms"], fields["seconds_to_expiry"], fields["version_id"])
    expected = {
        "CloudWatchMetrics": [
            {
                "Namespace": "TokenRefresh",
                "Dimensions": [["SecretId"]],
                "Metrics": [
                    *(
                        {"Name": name, "Unit": "Count"}
                        for name, counter in zip(names, counters, strict=True)
                        if counter
                    ),
                    {"Name": "SecondsToExpiry", "Unit": "Seconds"},
                ],
            }
        ]
    }
    assert expected == fields["_aws"]


def test_the_page_names_every_metric() -> None:
    """docs/configuration.md has each metric that a line can have, in backquotes."""
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    last = line(outcome(), due_before=NOW, fleet="prod")

    names = [metric["Name"] for metric in last["_aws"]["CloudWatchMetrics"][0]["Metrics"]]

    assert "Refreshed" in names
    assert [] == [name for name in names if f"`{name}`" not in page]


def test_what_is_not_known_is_left_out_of_the_metric() -> None:
    """An expiry that nobody knows is left out, so an alarm on missing data can use it."""
    fields = line(failure(TokensNotStored("x"), CurrentTokens(version_id="v1")))

    assert "SecondsToExpiry" not in str(fields)
    assert "seconds_to_expiry" not in fields
