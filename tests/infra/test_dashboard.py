import json
import re
from typing import Any

import pytest

from testbed.synthesis import Synthesis
from testbed.testbed import Testbed
from token_refresh.errors import SecretEmpty
from token_refresh_infra.single.dashboard import QUERIES
from token_refresh_worker.handlers import refresh
from token_refresh_worker.run.outcome import NAMESPACE


def test_worker_metrics_have_the_workers_names(with_table: Synthesis, everything: Synthesis) -> None:
    """Alarms and dashboard ask for metrics that the worker logs, under the secret's ID as it is configured."""
    logged = {
        "Refreshed",
        "Recovered",
        "Failed",
        "ReauthorizationRequired",
        "Superseded",
        "SecondsToExpiry",
        "SecretEmpty",
        "ForeignSets",
    }

    for deployment in (with_table, everything):
        secret = deployment.one("Lambda::Function")["Environment"]["Variables"]["TOKEN_SECRET_ID"]
        alarms = [
            a["Properties"]
            for a in deployment.resources("CloudWatch::Alarm")
            if a["Properties"]["Namespace"] == NAMESPACE
        ]
        widgets = [m for w in widgets_of(deployment) for m in w["properties"].get("metrics", []) if m[0] == NAMESPACE]

        assert [] == [a["MetricName"] for a in alarms if a["MetricName"] not in logged]
        assert {("SecretId", secret)} == {(d["Name"], d["Value"]) for a in alarms for d in a["Dimensions"]}
        assert [] == [m for m in widgets if m[1] not in logged or m[2:4] != ["SecretId", secret]]
        assert widgets


def widgets_of(deployment: Synthesis) -> list[dict[str, Any]]:
    """The dashboard's widgets, with references replaced by a word."""
    body = deployment.one("CloudWatch::Dashboard")["DashboardBody"]
    joined = "".join(part if isinstance(part, str) else "reference" for part in body["Fn::Join"][1])
    widgets: list[dict[str, Any]] = json.loads(joined)["widgets"]
    return widgets


def test_dashboard(everything: Synthesis) -> None:
    """The dashboard shows alarms, the sawtooth with its two thresholds, outcomes, durations and the last runs."""
    titles = {widget["properties"]["title"]: widget["properties"] for widget in widgets_of(everything)}

    assert {"Alarms", "Outcomes", "Duration of a run", "Last runs"} <= titles.keys()
    thresholds = titles["Seconds to expiry of the current access token"]["annotations"]["horizontal"]
    assert [(28800, "due"), (14400, "overdue")] == [(line["value"], line["label"]) for line in thresholds]
    assert titles["Last runs"]["query"].startswith("SOURCE '/aws/lambda/token-refresh-upwork-prod' | filter event in [")
    assert QUERIES["last runs"].split(" | ")[1] in titles["Last runs"]["query"]


def test_saved_queries(bare: Synthesis) -> None:
    """The usual questions to the log are saved, beside other deployments' in a folder of their own."""
    names = [query["Properties"]["Name"] for query in bare.resources("Logs::QueryDefinition")]

    assert {"last runs", "failures by kind", "refreshes a day", "one run", "cold starts and memory"} == {
        name.removeprefix("token-refresh-dev/") for name in names
    }
    assert [[{"Ref": bare.logical_id("Logs::LogGroup")}]] * len(names) == [
        query["Properties"]["LogGroupNames"] for query in bare.resources("Logs::QueryDefinition")
    ]


def test_queries_ask_for_what_is_logged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The saved queries ask for fields, events and outcomes that the last line of a run has."""
    with Testbed() as world:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        refresh({}, None)
        monkeypatch.setenv("TOKEN_SECRET_ID", "published")
        with pytest.raises(SecretEmpty):
            refresh({}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logged = {name for line in lines for name in line} | {"request_id"}
    values = {str(value) for line in lines for value in line.values()} | {"recovered"}

    worker = {name: query for name, query in QUERIES.items() if "platform." not in query}
    asked = {field for query in worker.values() for field in re.findall(r"(?:fields|filter) ([a-z_, @A-Z]+)", query)}
    fields = {name.strip().removesuffix(" in") for text in asked for name in text.split(",")}
    assert set() == {name for name in fields if not name.startswith("@")} - logged
    quoted = {word for query in worker.values() for word in re.findall(r"'([a-z_]+)'", query)}
    assert set() == quoted - values
