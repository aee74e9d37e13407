"""What docs/why-not-rotation.md says of a plain handler, shown on the demo's parts."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = "scripts/demo --handler benchmarks.handlers.straightforward.handler"


def test_plain_handler_fails_where_the_page_says() -> None:
    """Six runs send six requests, a run refreshes what is fresh, and a dead grant is asked for again."""
    page = (ROOT / "docs" / "why-not-rotation.md").read_text()
    played = subprocess.run(COMMAND.split(), cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    lines = " ".join(played.stdout.split())

    assert COMMAND in page
    assert 1 == played.returncode
    assert "refresh requests at the authorization server: expected 1, saw 6" in lines
    assert "not so: the second run sent nothing: a rejected token is tried again after an hour" in lines
    assert "Step 3 (The next run finds the token fresh) did not do what it says" in lines
    assert "Step 2 " not in lines
