"""Play the worker's main job on real parts, on this machine and without an AWS account: see `scripts/demo --help`."""

import argparse
import time
from collections.abc import Sequence
from typing import Final, NoReturn

from demos import contest
from demos.account import Account
from demos.report import Report, problem
from demos.scenario import SCENARIO
from demos.scene import Chapter, Scene
from demos.serve import serve
from testbed.aws_lambda.function import HANDLER
from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.provider import Provider

_EX_USAGE: Final = 64
_DESCRIPTION = """\
Play the worker's main job on real parts, on this machine and without an AWS
account: thirteen things that go wrong, with a careful handler, one with a claim,
and this worker. With --all in twelve steps: a scheduled run, one
that finds the token fresh, a forced one, several at once, two that are killed and
the runs that follow, a revoked grant and its re-authorization. All is checked.
"""
_EXIT_CODES = "exit codes: 0 all was as it says; 1 something was not; 130 interrupted"


def main(arguments: Sequence[str]) -> int:
    """Play the scenario and return the exit code."""
    options = _parse(arguments)
    if options.serve:
        return serve(options.handler or HANDLER)
    if options.all or options.logs or options.handler:
        return play(Report(logs=options.logs), options.handler or HANDLER)
    return contest.play(options.provider)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with the code that all commands have for wrong use."""
        self.exit(_EX_USAGE, f"{self.prog}: {message}\n")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="scripts/demo",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--all", action="store_true", help="play all steps, with what the secret holds after each")
    parser.add_argument("--logs", action="store_true", help="the same, with the structured log of each run")
    parser.add_argument(
        "--serve",
        action="store_true",
        help="start the servers with a first token and publish it; print what leads every command to them, and the "
        "first lines of a service in Python and in TypeScript; wait",
    )
    parser.add_argument(
        "--handler",
        metavar="NAME",
        help=f"play all steps with another Lambda handler than {HANDLER}, and say what it gets wrong",
    )
    parser.add_argument(
        "--provider",
        metavar="NAME",
        type=_provider,
        help="let refresh tokens last as they do at this provider, such as upwork: whether a refresh changes them, and "
        "how long a used one still works; without it they work once",
    )
    options = parser.parse_args(arguments)
    if options.provider and (options.all or options.logs or options.serve or options.handler):
        parser.error("--provider changes what is played without other options")
    return options


def _provider(name: str) -> Provider:
    try:
        return load_provider(name)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def play(report: Report, handler: str = HANDLER, scenario: Sequence[Chapter] = SCENARIO) -> int:
    """Play `scenario` with `handler` and return the exit code."""
    began = time.monotonic()
    report.introduce(len(scenario))
    rows: list[tuple[int, Chapter, list[str]]] = []
    said: list[str] = []

    def everything_printed() -> str:
        return "\n".join((report.text, *said))

    with Account(handler) as account, account.function() as function:
        for number, chapter in enumerate(scenario, 1):
            scene = Scene(account, function, everything_printed=everything_printed)
            report.begin(number, chapter)
            problems = _play_scene(chapter, scene, report)
            said += [text for run in scene.ran for text in (*run.logs, run.detail, run.result)]
            rows.append((number, chapter, problems))
    report.conclude(rows, time.monotonic() - began)
    return 1 if any(problems for _, _, problems in rows) else 0


def _play_scene(chapter: Chapter, scene: Scene, report: Report) -> list[str]:
    """Play one step; what goes wrong in it is its problem, and the scenario goes on."""
    problems: list[str] = []
    try:
        chapter.play(scene)
    except Exception as error:  # noqa: BLE001 - a broken worker can make any part of a step fail
        problems.append(f"the step was cut short by {type(error).__name__}")  # its text could hold a value
    report.end(scene, problems)
    return problems + [problem(check) for check in scene.checks if not check.holds]
