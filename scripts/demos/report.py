"""How the demo looks: one step at a time, at any width, with or without a terminal."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from demos.account import Version
from demos.scene import Chapter, Check, Ran, Scene

_INDENT = 4
_READ_ON = (
    ("docs/tutorial.md", "from an empty account to a refreshed token"),
    ("docs/configuration.md", "every setting, outcome and error"),
    ("docs/protocol.md", "what a race or a crash can do, and what it can't"),
    ("scripts/demo --logs", "this demo with the structured log of each run"),
    ("scripts/demo --serve", "the same servers, to try a service and every command yourself"),
)


class Report:
    """Print the scenario as it is played."""

    def __init__(self, *, logs: bool) -> None:
        self._console = Console(highlight=False, record=True)
        self._logs = logs

    def introduce(self, steps: int) -> None:
        """Say what is about to happen."""
        parts = (
            f": its main job in {steps} steps, on this machine. In place of AWS: a local Secrets Manager that enforces "
            "the same rules, and Lambda's own runtime. In place of Upwork: a real OAuth server (django-oauth-toolkit) "
            "with Upwork's settings. Where hours pass, Secrets Manager's clock is moved.\n\nThe worker keeps its "
            "state in the secret itself. The label REFRESH_CLAIM marks the newest claim, and REFRESH_OUTCOME what came "
            "of it: new tokens, or a record of the failure. Consumers read what has AWSCURRENT.\n"
        )
        self._print(Text.assemble(("token-refresh-worker", "bold"), parts), indent=0)

    def begin(self, number: int, chapter: Chapter) -> None:
        """Announce a step."""
        self._print(Text.assemble((f"{number:>2}  ", "bold cyan"), (chapter.title, "bold")), indent=0)
        self._print(Text(chapter.why))

    def end(self, scene: Scene, problems: Sequence[str]) -> None:
        """Show the results, and why the step was cut short if it was; logs come last."""
        if scene.hours_passed:
            passed = "1 hour passes" if scene.hours_passed == 1 else f"{scene.hours_passed} hours pass"
            self._print(Text(f"({passed})", "italic"))
        self._space()
        if scene.ran:
            self._print(_runs(scene.ran))
            self._print_failures(scene.ran)
            self._space()
        if scene.before != scene.after:
            self._print(_labels(scene))
            self._space()
        self._print(verdicts(scene.checks, problems))
        self._space()
        if self._logs:
            self._print_logs(scene.ran)

    def conclude(self, rows: Sequence[tuple[int, Chapter, Sequence[str]]], seconds: float) -> None:
        """Sum up, and say which steps did not do what they say."""
        failed = [(number, chapter, problems) for number, chapter, problems in rows if problems]
        for number, chapter, problems in failed:
            self._print(
                Text(f"Step {number} ({chapter.title}) did not do what it says: {'; '.join(problems)}", "red"), indent=0
            )
        if not failed:
            self._print(Text(f"All {len(rows)} steps did what they say, in {seconds:.0f} s. Read on:"), indent=0)
            for where, what in _READ_ON:
                self._print(Text.assemble((f"{where:<21}", "bold"), f" {what}"))

    @property
    def text(self) -> str:
        """All that was printed so far."""
        return self._console.export_text(clear=False)

    def _print_failures(self, runs: Iterable[Ran]) -> None:
        for detail in dict.fromkeys(run.detail for run in runs if run.failed):
            self._print(Text(detail, "yellow"))

    def _print_logs(self, runs: Iterable[Ran]) -> None:
        for run in runs:
            if run.logs:
                self._print(Text(f"log of the {run.name}", "dim"))
                for line in run.logs:
                    self._console.print(Text(line, "dim"), soft_wrap=True)
                self._space()

    def _print(self, what: RenderableType, indent: int = _INDENT) -> None:
        self._console.print(Padding(what, (0, 0, 0, indent), expand=False))

    def _space(self) -> None:
        self._console.print()


def new_table(*columns: str) -> Table:
    """Make a table with these columns."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _runs(runs: Iterable[Ran]) -> Table:
    table = new_table("run", "outcome", "")
    for run in runs:
        outcome = Text(run.outcome, "yellow" if run.failed else "green")
        table.add_row(run.name, outcome, "" if run.failed else run.detail)
    return table


def _labels(scene: Scene) -> Table:
    table = new_table("version", "holds", "labels before", "labels after")
    for version_id, after in scene.after.items():
        before = scene.before.get(version_id)
        if after.labels or (before and before.labels):
            table.add_row(after.short_id, after.kind, _label_text(before), _label_text(after))
    return table


def _label_text(version: Version | None) -> Text:
    if version is None:
        return Text("(not there yet)", "dim")
    return Text(", ".join(sorted(version.labels)) or "none", "" if version.labels else "dim")


def verdicts(checks: Iterable[Check], problems: Iterable[str]) -> Table:
    """Say of each check whether it holds."""
    table = Table.grid(padding=(0, 2))
    for check in checks:
        if check.holds:
            shown = f": {check.actual}" if _is_shown(check) else ""
            table.add_row(Text("ok", "green"), check.claim + shown)
        else:
            table.add_row(Text("FAILED", "bold red"), problem(check))
    for text in problems:
        table.add_row(Text("FAILED", "bold red"), text)
    return table


def problem(check: Check) -> str:
    """Say what was expected and what was seen instead."""
    return (
        f"{check.claim}: expected {check.expected}, saw {check.actual}"
        if _is_shown(check)
        else f"not so: {check.claim}"
    )


def _is_shown(check: Check) -> bool:
    """Whether what was expected tells more than yes or no; what is neither a word nor a number is only compared."""
    return isinstance(check.expected, str | int) and not isinstance(check.expected, bool)
