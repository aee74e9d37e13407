import json
from typing import Any

from fleet.rows import WINDOW, failed, pause, row, rows, seen
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh_worker.adapters.telemetry import mask
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Fleet
from token_refresh_worker.fleet.core.gauges import Gauges, measure
from token_refresh_worker.fleet.core.row import Row, State


def measured(everything: list[Row]) -> Gauges:
    fleet = Fleet(rows=everything)
    return measure(fleet, decide(fleet, NOW), NOW)


def test_every_secret_is_counted_in_one_state() -> None:
    """Each secret counts in exactly one state, the one that never reported included."""
    gauges = measured(
        [
            row("due"),
            row("new", new=True),
            row("healthy", found=seen(due_at=NOW + MINUTE), next_at=NOW + MINUTE),
            row("overdue", found=seen(expires_at=NOW + MINUTE, due_at=NOW - HOUR)),
            row("paused", pause=pause()),
            *[
                row(state, found=seen(state=state))
                for state in (State.HELD, State.REAUTHORIZE, State.EMPTY, State.ERROR)
            ],
        ]
    ).fleet

    assert 9 == gauges["Size"] == sum(gauges[state.title()] for state in State)
    assert (2, 1, 1) == (gauges["Due"], gauges["Overdue"], gauges["Healthy"])
    assert {1} == {gauges[s] for s in ("Paused", "Held", "Reauthorize", "Empty", "Error")}


def test_objective() -> None:
    """The share within the objective counts secrets that the fleet can keep fresh, and among them the unreported.

    One or two secrets outside of it are single customers, and leave it at 100.
    """
    within = [row(str(n), found=seen(due_at=NOW + MINUTE), next_at=NOW + MINUTE) for n in range(9)]
    new = [row(f"new-{n}", new=True) for n in range(3)]
    dead = row("dead", found=seen(state=State.REAUTHORIZE))

    assert [75.0, 100.0, 100.0] == [
        measured(rows).fleet["WithinWindowPercent"] for rows in ([*within, *new, dead], [*within, *new[1:], dead], [])
    ]


def test_by_provider() -> None:
    """Each provider has its own counts: secrets, overdue ones, dead grants and its breaker."""
    late = [row(f"late/{n}", provider="late", found=seen(due_at=NOW - WINDOW, expires_at=NOW)) for n in range(2)]
    down = [
        row(f"down/{n}", provider="down", found=failed("TokenEndpointUnavailable", at=NOW - MINUTE)) for n in range(5)
    ]
    gauges = measured(late + down)

    assert {"Size": 2, "Overdue": 2, "Reauthorize": 0, "BreakersOpen": 0} == gauges.providers["late"]
    assert (1, 1) == (gauges.providers["down"]["BreakersOpen"], gauges.fleet["BreakersOpen"])


def test_lines() -> None:
    """The metric lines have the fleet as dimension, or fleet and provider, and never a secret."""
    gauges = measured(rows(3) + rows(2, provider="upwork"))
    line: dict[str, Any] = gauges.fields("prod")
    providers: list[Any] = gauges.provider_fields("prod")

    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert ("TokenRefresh", [["Fleet"]]) == (directive["Namespace"], directive["Dimensions"])
    assert {"Name": "WithinWindowPercent", "Unit": "Percent"} in directive["Metrics"]
    assert [("prod", "upwork"), ("prod", "xero")] == [(p["Fleet"], p["Provider"]) for p in providers]
    assert all([["Fleet", "Provider"]] == p["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for p in providers)
    assert "arn:" not in json.dumps([line, providers])
    assert dict(line) == mask(dict(line)), "no name makes the log mask a value"
