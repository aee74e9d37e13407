"""Deploy a fleet to an emulated AWS account, and let it meet what a fleet meets: `scripts/demo fleet`."""

import argparse
import time
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from demos.fleets.account import FleetAccount
from demos.fleets.story import STORY, Stage, Step
from demos.report import problem, verdicts

_DESCRIPTION = """\
Deploy a fleet to an emulated AWS account on this machine, and let 200 token
secrets of five providers be due at once: one provider hangs, one grant is
revoked and authorized again, Secrets Manager refuses to write new tokens, and
the table is deleted and rebuilt. Every step checks what it says. It takes about
two minutes.
"""
_EXIT_CODES = "exit codes: 0 every step did what it says; 1 a step did not; 130 interrupted"
_INTRODUCTION = """\
{size} token secrets of five providers, kept fresh by one deployment. It takes about two minutes on an idle machine. \
The stack that infra/ synthesises is real, and so are the functions' zip, the token-refresh command, the providers' \
profiles, and one authorization server (django-oauth-toolkit in Upwork's place). ministack stands in for AWS \
(CloudFormation, Lambda, SQS, DynamoDB, EventBridge, Scheduler, IAM), the strict server of this project's tests for \
Secrets Manager, and imitations for the four other providers. ministack runs the messages of a FIFO queue one by \
one, so the demo itself takes them from the queue to the function, eight at a time. It starts the dispatcher, too: \
the schedules are off until the table is lost. Alarms and queue policies are left out, and IAM does not guard the \
secrets.

Four conditions of the template are changed, since ministack knows others: the dispatcher may also send in batches \
under a permission's own name, the worker's events are not bound to their source, requests need not name items, and \
the key for kept tokens encrypts whatever the worker asks.
"""


def main(arguments: Sequence[str]) -> int:
    """Play the story and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo fleet",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--secrets", type=_size, default=200, metavar="N", help="how many secrets; 200 by default")
    options = parser.parse_args(arguments)
    return play(options.secrets)


def play(secrets: int, *, story: Sequence[Step] = STORY) -> int:
    """Play `story` with so many secrets and return the exit code."""
    console = Console(highlight=False, record=True)
    began, failed = time.monotonic(), []
    console.print(Text.assemble(("token-refresh-worker: a fleet. ", "bold"), _INTRODUCTION.format(size=secrets)))

    def say(what: RenderableType) -> None:
        console.print(Padding(Text(what) if isinstance(what, str) else what, (0, 0, 0, 4), expand=False))

    with FleetAccount(secrets) as account:
        for number, step in enumerate(story, 1):
            started = time.monotonic()
            console.print(Text.assemble((f"{number:>2}  ", "bold cyan"), (step.title, "bold")))
            say(step.why)
            console.print()
            stage = Stage(account, say, lambda: console.export_text(clear=False))
            problems = _play_step(step, stage)
            console.print()
            say(verdicts(stage.checks, problems))
            say(Text(f"({time.monotonic() - started:.0f} s)", "dim"))
            console.print()
            wrong = problems + [problem(check) for check in stage.checks if not check.holds]
            failed += [f"Step {number} ({step.title}) did not do what it says: {text}" for text in wrong]
    for text in failed:
        console.print(Text(text, "red"))
    if not failed:
        console.print(f"All {len(story)} steps did what they say, in {time.monotonic() - began:.0f} s.")
        console.print("Read on: docs/fleet.md, how to deploy and operate one; scripts/bench fleet, with 10,000 secrets")
    return 1 if failed else 0


def _play_step(step: Step, stage: Stage) -> list[str]:
    """Play one step; what goes wrong in it is its problem, and the story goes on."""
    try:
        step.play(stage)
    except Exception as error:  # noqa: BLE001 - a broken fleet can make any part of a step fail
        return [f"the step was cut short by {type(error).__name__}"]  # its text could hold a value
    return []


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 10 <= int(text) <= 1000):  # noqa: PLR2004 - two a provider; an hour
        raise argparse.ArgumentTypeError("must be a number from 10 to 1000")
    return int(text)
