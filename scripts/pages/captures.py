"""What is captured: the demo, and `token-refresh status` on the demo's secret."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from demos.account import TOKEN_SECRET_ID, Account
from demos.serve import LambdaApi, leading_to
from pages.terminal import ROOT, drawn, normalised, plain, run
from testbed.aws_lambda.function import SCHEDULED_EVENT

_FIRST_SHOWN = "careful handler"


def demo() -> str:
    """Run `scripts/demo` and draw its contest."""
    began = datetime.now(UTC)
    return contest(run([ROOT / "scripts" / "demo"]), began)


def contest(printed: str, began: datetime) -> str:
    """Draw the contest of a demo that printed this in colour."""
    return drawn(excerpt(normalised(printed, began)), "scripts/demo")


def excerpt(printed: str) -> str:
    """Return what is shown: all from the first contestant to the figures, with a mark where lines are left out."""
    lines = [line.rstrip() for line in printed.splitlines()]
    first = next(number for number, line in enumerate(lines) if plain(line).startswith(_FIRST_SHOWN))
    last = next(number for number, line in enumerate(lines) if plain(line).startswith("Somebody must "))
    return "\n".join(["$ scripts/demo", " ⋮", *lines[first:last]])


def status() -> str:
    """Refresh twice, let seven hours pass, and draw what `token-refresh status` says beside a deployment."""
    with (
        Account(as_deployed=True) as account,
        account.function() as function,
        LambdaApi(account, function) as lambda_api,
    ):
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
        printed = run([command, "status", TOKEN_SECRET_ID], leading_to(account, lambda_api))
    shown = datetime.fromtimestamp(began, UTC) + timedelta(hours=43)
    heading = f"$ token-refresh status {TOKEN_SECRET_ID}\n"
    return drawn(heading + normalised(printed, shown), "token-refresh status")
