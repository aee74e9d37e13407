import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import cfnlint.decode
import pytest

from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.aws.bus import SOURCE
from token_refresh_worker.fleet.core.dispatch import Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fleet.md").read_text()
LINTER = Path(sys.executable).with_name("cfn-lint")


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


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
    """The example is a valid template: its rule takes events that are sent, and its targets what these have."""
    example = ROOT / "examples" / "grant_events.yaml"
    lint = subprocess.run([LINTER, "--", example], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert (0, "") == (lint.returncode, lint.stdout)
    template, _ = cfnlint.decode.decode(str(example))
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
        assert json.loads(transformer["InputTemplate"])
