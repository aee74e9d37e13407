"""What one token set costs in a month, from the synthesised template; docs/deploy.md has the same figures."""

import re
from pathlib import Path
from typing import Any

from pages.parts.cost import SECRET, bill, metrics, total
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


def test_what_a_choice_costs(plain: Synthesis, code: Path) -> None:
    """The page has what each choice adds to the bill."""

    def more(**choice: Any) -> str:
        return f"{abs(cost(synthesise(HERE | choice, code)) - cost(plain)):.2f}"

    page = " ".join((ROOT / "docs" / "deploy.md").read_text("utf-8").split())
    of_table = more(claim_table="create")
    said = (
        f'`dashboard = true` adds {more(dashboard=True)}, `kms_key = "create"` {more(kms_key="create")}, a claim table',
        f'a claim table {of_table}: its key, and an alarm on it (`kept_tokens_key = "none"` saves both)',
        f'a separate secret are {SECRET:.2f} more, `published_secret = "none"` is {more(published_secret="none")} less',
    )

    assert [] == [sentence for sentence in said if sentence not in page]
    assert "0.00" == more(claim_table="create", kept_tokens_key="none")
