import json
import re
from pathlib import Path

import pytest

from testbed.synthesis import ROOT, Deployment
from token_refresh_infra.context import ParameterError
from token_refresh_infra.deployment_file import read_deployment
from token_refresh_worker.run.events import read_event

PAGE = (ROOT / "docs" / "deploy.md").read_text()
REFERENCE = (ROOT / "docs" / "parameters.md").read_text()


def first_column(heading: str) -> set[str]:
    """The names in the first column of a section's table."""
    section = REFERENCE.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([A-Za-z_-]+)`", row)}


def test_the_last_line_of_the_tutorial(tmp_path: Path) -> None:
    """Without its last line, the tutorial's file for HubSpot is refused, and the error has that line."""
    section = (ROOT / "docs" / "tutorial.md").read_text().partition("## Another provider")[2]
    hubspot = re.findall(r"^```toml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]

    (tmp_path / "prod.toml").write_text(hubspot.replace('claim_table = "create"\n', ""))
    with pytest.raises(
        ParameterError, match=r'add this line to the deployment\'s file and deploy: claim_table = "crea'
    ):
        read_deployment("prod", folder=tmp_path)


def test_payloads() -> None:
    """Each payload on the page is an event that the function takes."""
    payloads = re.findall(r"['`](\{(?:\"(?:force|dry_run)\": true)?\})['`]", PAGE)

    assert 3 == len(payloads)
    for payload in payloads:
        read_event(json.loads(payload))


def test_outputs(plain: Deployment, with_table: Deployment) -> None:
    """The page lists every output that a deployment can have, and no other."""
    assert plain.outputs() | with_table.outputs() == first_column("Outputs")
