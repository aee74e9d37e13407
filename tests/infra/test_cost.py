"""What one token set costs in a month, from the synthesised template; docs/deploy.md has the same figures."""

import re
from pathlib import Path
from typing import Any

import pytest

from pages.parts.cost import bill, metrics, total
from testbed.synthesis import ROOT, Synthesis, synthesise

HERE: dict[str, Any] = {"environment": "prod"}


def cost(deployment: Synthesis) -> float:
    return total(bill(deployment.template["Resources"]))


def test_the_defaults_cost_four_dollars_at_most(plain: Synthesis) -> None:
    """One token set with the defaults costs at most 4 USD a month outside of the free tier, as the page says."""
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    (said,) = re.findall(r"\| \*\*Together\*\* \|  \| \*\*(\S+)\*\* \|", page)

    assert cost(plain) <= 4.00
    assert f"{cost(plain):.2f}" == said
    assert ["Refreshed", "SecondsToExpiry"] == metrics()


@pytest.mark.parametrize(
    ("choice", "dollars"),
    [
        ({"dashboard": True}, 3.00),
        ({"kms_key": "create"}, 1.00),
        ({"claim_table": "create"}, 1.10),
        ({"claim_table": "create", "kept_tokens_key": "none"}, 0.00),
        ({"published_secret": "none"}, -0.40),
    ],
)
def test_what_a_choice_costs(plain: Synthesis, code: Path, choice: dict[str, Any], dollars: float) -> None:
    """Each choice that the page prices costs so much more."""
    assert pytest.approx(dollars) == cost(synthesise(HERE | choice, code)) - cost(plain)
