"""Kill a run at each of its external calls, for each kind of provider, and tell what became of the grant.

`scripts/prove kill-matrix` prints the tables; with `--write` they go into docs/proof.md, between its two markers.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from races.kills import SCENARIOS, Aftermath, Boundary, Scenario, boundaries, kill
from testbed.testbed import PROVIDERS, SINGLE_USE, TOKEN_REQUEST, Provider

PAGE: Final = Path(__file__).parents[2] / "docs" / "proof.md"
BEGIN: Final = "<!-- kill-matrix:begin -->"
END: Final = "<!-- kill-matrix:end -->"

_LEGEND: Final = """\
Each row kills one process with SIGKILL: *before* the call is carried out, *after* it was and before its reply came, \
or with the call still on its way, to be carried out *late*, when other runs have found the claim over. A cell says \
how the runs after it ended until nothing was left to do, how many token requests were sent in all, and whether the \
refresh token that is current then is good. After the kill, reads of Secrets Manager are stale: up to 8 writes old, \
back and forth. The secret is full, so each new version removes the oldest. The services' clocks are 40 days ahead \
of the machine's. \
*held*: `RefreshOutcomeUnknown`, with the access token in use still valid; \
*re-authorize*: `ReauthorizationRequired`."""

_WORDS: Final = {"RefreshOutcomeUnknown": "held", "ReauthorizationRequired": "re-authorize"}


def is_window(boundary: Boundary, provider: Provider) -> bool:
    """Whether the provider has committed and nothing holds what it issued: the one window that no client can close."""
    committed = boundary.call == TOKEN_REQUEST and boundary.when == "after"
    not_staged = boundary.call == "PutSecretValue staged tokens" and boundary.when == "before"
    return provider is SINGLE_USE and (committed or not_staged)


def fault(boundary: Boundary, provider: Provider, aftermath: Aftermath) -> str | None:
    """Say what is wrong with a row, if anything is."""
    window = is_window(boundary, provider)
    if aftermath.alive is window:
        return "the grant is alive" if window else "the grant is lost"
    if not aftermath.served:
        return "consumers were left without a valid access token"
    if not aftermath.up_to_date:
        return "consumers read an older token set than the current one"
    if set(aftermath.lines) != {1}:
        return "a run did not log exactly one last line"
    return None


def matrix(scenario: Scenario) -> Iterator[tuple[Boundary, list[Aftermath | None]]]:
    """Give all rows of one kind of run, in the order of its calls, with one aftermath a provider.

    Where a provider's run does not make that call, there is none: with a refresh token that never changes, tokens
    that are stored and not current are replaced by a new refresh.
    """
    points = [boundaries(scenario, provider) for provider in PROVIDERS]

    def aftermath(cell: tuple[Boundary, Provider]) -> Aftermath | None:
        boundary, provider = cell
        return kill(scenario, provider, boundary) if boundary in boundaries(scenario, provider) else None

    with ThreadPoolExecutor(2) as pool:  # each testbed has servers and processes of its own
        cells = pool.map(aftermath, itertools.product(points[0], PROVIDERS))
        for boundary in points[0]:
            yield boundary, list(itertools.islice(cells, len(PROVIDERS)))


def cell(aftermath: Aftermath | None) -> str:
    """Write one aftermath."""
    if aftermath is None:
        return "no such call"
    runs = ", ".join(_WORDS.get(name, name) for name in aftermath.runs)
    return f"{runs}; {aftermath.requests} sent; {'alive' if aftermath.alive else '**lost**'}"


def main() -> int:
    """Run the whole matrix; 1 where a row is not as it should be."""
    parser = argparse.ArgumentParser(prog="scripts/prove kill-matrix", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    options = parser.parse_args()
    kills, faults, tables = 0, [], []
    for scenario in SCENARIOS:
        table = [
            f"### {scenario.name.capitalize()}",
            "",
            "| # | external call | killed | " + " | ".join(p.name for p in PROVIDERS) + " |",
            "| --- | --- | --- |" + " --- |" * len(PROVIDERS),
        ]
        for boundary, aftermaths in matrix(scenario):
            point = f"| {boundary.number} | {boundary.call} | {boundary.when} |"
            table.append(" ".join([point, *(f"{cell(aftermath)} |" for aftermath in aftermaths)]))
            print(table[-1], flush=True)
            kills += sum(aftermath is not None for aftermath in aftermaths)
            for provider, aftermath in zip(PROVIDERS, aftermaths, strict=True):
                if aftermath and (found := fault(boundary, provider, aftermath)):
                    faults.append(f"{scenario.name}, {boundary}, {provider.name}: {found}")
        tables.append("\n".join(table))
    summary = f"{kills} processes were killed; {len(faults)} rows were not as they should be."
    print(summary, *faults, sep="\n")
    if options.write and not faults:
        write("\n\n".join([_LEGEND, *tables, summary]))
    return 1 if faults else 0


def write(tables: str) -> None:
    """Put the tables between the page's markers; a page without them gets them at its end."""
    text = PAGE.read_text() if PAGE.exists() else ""
    if BEGIN not in text:
        text += f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
