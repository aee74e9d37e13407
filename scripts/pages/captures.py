"""What is captured: the demo, and `token-refresh status` on the demo's secret."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demos.account import TOKEN_SECRET_ID, Account
from pages.terminal import ROOT, drawn, normalised, plain, run
from testbed.aws_lambda.function import SCHEDULED_EVENT

SHOWN_STEPS = (6, 7)
_STEP = re.compile(r"^ ?(\d+)  \S")


def demo() -> str:
    """Run `scripts/demo` and draw the steps in which a run is killed and the next one recovers."""
    began = datetime.now(UTC)
    return drawn(excerpt(normalised(run([ROOT / "scripts" / "demo"]), began)), "scripts/demo")


def excerpt(printed: str) -> str:
    """Return the steps that are shown and the verdict, with a mark where lines are left out."""
    kept: list[str] = ["$ scripts/demo", " ⋮"]
    step = 0
    for line in printed.splitlines():
        if found := _STEP.match(plain(line)):
            step = int(found[1])
        if step in SHOWN_STEPS:
            kept.append(line.rstrip())
        if plain(line).startswith("All "):
            kept += [" ⋮", line.removesuffix(" Read on:")]
    return "\n".join(kept)


def status() -> str:
    """Refresh twice, let seven hours pass, and draw what `token-refresh status` says."""
    with Account() as account, account.function() as function:
        began = account.store.now()

        def pass_to(hours: int, seconds: int = 0) -> None:
            """Set the clock, however long this machine took until now."""
            account.store.clock_offset_seconds += began + hours * 3600 + seconds - account.store.now()

        account.authorize()
        for hours in (18, 36):
            pass_to(hours)
            function.invoke(SCHEDULED_EVENT)
        pass_to(43, seconds=5)  # durations are cut to minutes: none is near a whole one
        command = Path(".venv", "bin", "token-refresh")
        printed = run([command, "status", TOKEN_SECRET_ID], account.environment)
    shown = datetime.fromtimestamp(began, UTC) + timedelta(hours=43)
    heading = f"$ token-refresh status {TOKEN_SECRET_ID}\n"
    return drawn(heading + normalised(printed, shown), "token-refresh status")
