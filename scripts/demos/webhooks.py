"""Send signed, forged, replayed and rotated webhooks over HTTP, and show what happens: `scripts/demo webhooks`."""

import argparse
import time
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from demos.report import new_table, problem, verdicts
from demos.webhook_account import HANDLER, WebhookAccount
from demos.webhook_story import STORY, Stage, Step

_DESCRIPTION = """\
Send webhooks of Stripe, Slack, GitHub and Standard Webhooks over HTTP to
examples/webhook_router.py, which runs in Lambda's own runtime client: signed,
forged, replayed and malformed ones, through a rotation and two outages. Every
step checks what it says.
"""
_INTRODUCTION = """\
: a receiver of webhooks. Four senders sign their deliveries. The receiver, examples/webhook_router.py in Lambda's own \
runtime, verifies each with a signing secret from Secrets Manager, and puts it into a queue. It meets forged, replayed \
and malformed requests, new signing secrets, and two outages. Senders, Secrets Manager and queue are imitated on this \
machine.
"""
_EXIT_CODES = "exit codes: 0 every step did what it says; 1 a step did not; 130 interrupted"


def main(arguments: Sequence[str]) -> int:
    """Play the story and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo webhooks",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--logs", action="store_true", help="print the receiver's log lines after each step")
    parser.add_argument(
        "--handler",
        default=HANDLER,
        metavar="NAME",
        help="run another Lambda handler than %(default)s; the demo says what it gets wrong",
    )
    options = parser.parse_args(arguments)
    return play(options.handler, logs=options.logs)


def play(handler: str = HANDLER, *, logs: bool = False, story: Sequence[Step] = STORY) -> int:
    """Play `story` with `handler` and return the exit code."""
    console = Console(highlight=False, record=True)
    began, failed = time.monotonic(), []
    console.print(Text.assemble(("token-refresh-worker", "bold"), _INTRODUCTION))
    with WebhookAccount(handler) as account:

        def everything_printed() -> str:
            return "\n".join((console.export_text(clear=False), *account.printed))

        for number, step in enumerate(story, 1):
            _print(console, Text.assemble((f"{number:>2}  ", "bold cyan"), (step.title, "bold")), indent=0)
            _print(console, Text(step.why))
            printed = len(account.printed)
            stage, problems = Stage(account, everything_printed), _Problems()
            problems.play(step, stage)
            _show(console, stage, problems.found)
            for line in account.printed[printed:] if logs else ():
                console.print(Text(line, "dim"), soft_wrap=True)
            wrong = problems.found + [problem(check) for check in stage.checks if not check.holds]
            failed += [f"Step {number} ({step.title}) did not do what it says: {text}" for text in wrong]
    for text in failed:
        console.print(Text(text, "red"))
    if not failed:
        console.print(f"All {len(story)} steps did what they say, in {time.monotonic() - began:.0f} s.")
        console.print("Read on: docs/webhooks.md, examples/webhook_router.py, examples/webhook_consumer.py")
    return 1 if failed else 0


class _Problems:
    """What kept a step from being played to its end."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def play(self, step: Step, stage: Stage) -> None:
        try:
            step.play(stage)
        except Exception as error:  # noqa: BLE001 - a broken receiver can make any part of a step fail
            self.found.append(f"the step was cut short by {type(error).__name__}")  # its text could hold a value


def _show(console: Console, stage: Stage, problems: Sequence[str]) -> None:
    console.print()
    if stage.outcomes:
        rows = new_table("request", "response", "the receiver's log")
        for outcome in stage.outcomes:
            style = "green" if outcome.status < 400 else "yellow"  # noqa: PLR2004 - HTTP's classes
            logged = [outcome.line.get(name) for name in ("outcome", "secret_stage", "delivery_id")]
            rows.add_row(
                outcome.what, Text(str(outcome.status), style), ", ".join(str(said) for said in logged if said)
            )
        _print(console, rows)
        console.print()
    _print(console, verdicts(stage.checks, problems))
    console.print()


def _print(console: Console, what: RenderableType, indent: int = 4) -> None:
    console.print(Padding(what, (0, 0, 0, indent), expand=False))
