from __future__ import annotations

import dataclasses
import re

from infra.synthesis import ROOT, Deployment
from token_refresh_infra.parameters import Parameters

PAGE = (ROOT / "docs" / "deploy.md").read_text()
README = (ROOT / "README.md").read_text()


def first_column(heading: str) -> set[str]:
    """The names in the first column of a section's table."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([A-Za-z_-]+)`", row)}


def point(name: str) -> set[str]:
    """The names that one point of the README's list has in it."""
    (text,) = re.findall(rf"^- \*\*{name}\*\*.*?:\s(.*?)(?=^- |^$)", README, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`([A-Za-z_]+)`", text))


def test_parameters() -> None:
    """The page and the README list every parameter and no other."""
    expected = {field.name for field in dataclasses.fields(Parameters)}

    assert expected == first_column("Parameters")
    assert expected == point("Parameters")


def test_defaults() -> None:
    """Each default on the page is the one that is used."""
    defaults = Parameters.from_context({"environment": "prod"})
    rows = re.findall(r"^\| `([a-z_]+)` \| `?([a-z0-9_-]+)`? \|", PAGE, re.MULTILINE | re.IGNORECASE)
    said = {name: text for name, text in rows if text not in {"none", "required"}}

    assert 20 <= len(said)
    assert said == {
        name: str(getattr(defaults, name)).replace("True", "true").replace("False", "false") for name in said
    }


def test_outputs(plain: Deployment, everything: Deployment) -> None:
    """The page and the README list every output that a deployment can have, and no other."""
    expected = plain.outputs() | everything.outputs()

    assert expected == first_column("Outputs")
    assert expected == point("Outputs")


def test_alarms(adopted: Deployment) -> None:
    """The page lists every alarm that is announced."""
    named = {alarm["Properties"]["AlarmName"] for alarm in adopted.resources("CloudWatch::Alarm")}

    assert {name.removeprefix("token-refresh-prod-") for name in named} == first_column("Alarms")


def test_cost(plain: Deployment) -> None:
    """The page's arithmetic counts the resources that are deployed, and adds up."""
    cost = PAGE.split("\n## Cost\n")[1].split("\n## ")[0]
    lines = [float(amount) for amount in re.findall(r"\| (\d+\.\d\d) \|$", cost, re.MULTILINE)]
    (together,) = re.findall(r"\*\*(\d+\.\d\d)\*\* \|$", cost, re.MULTILINE)

    assert f"{len(plain.resources('CloudWatch::Alarm'))} × 0.10" in cost  # noqa: RUF001 - as the page has it
    assert f"{len(plain.resources('CloudWatch::CompositeAlarm'))} composite × 0.50" in cost  # noqa: RUF001 - likewise
    assert f"{sum(lines):.2f}" == together
