"""Kill a run at each of its external calls, for each kind of provider, and tell what became of the grant.

`scripts/prove kill-matrix` prints the rows; with `--write` their summary goes into docs/proof.json.
"""

import argparse
import itertools
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import measured
from races.kills import SCENARIOS, Aftermath, Boundary, Scenario, boundaries, kill
from testbed.testbed import PROVIDERS, SINGLE_USE, TOKEN_REQUEST, ProviderKind

_WORDS: Final = {"RefreshOutcomeUnknown": "held", "ReauthorizationRequired": "re-authorize"}


def is_window(boundary: Boundary, provider: ProviderKind) -> bool:
    """Whether the provider has committed and nothing holds what it issued: the one window that no client can close."""
    committed = boundary.call == TOKEN_REQUEST and boundary.when == "after"
    not_staged = boundary.call == "PutSecretValue staged tokens" and boundary.when == "before"
    return provider is SINGLE_USE and (committed or not_staged)


def fault(boundary: Boundary, provider: ProviderKind, aftermath: Aftermath) -> str | None:
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
    """Return all rows of one kind of run, in the order of its calls, with one aftermath a provider.

    Where a provider's run does not make that call, there is none: with a refresh token that never changes, tokens
    that are stored and not current are replaced by a new refresh.
    """
    points = [boundaries(scenario, provider) for provider in PROVIDERS]

    def aftermath(cell: tuple[Boundary, ProviderKind]) -> Aftermath | None:
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


def table(scenario: Scenario, rows: Iterable[tuple[Boundary, list[Aftermath | None]]]) -> str:
    """Write the table of one kind of run; points of one call with the same aftermath share a row."""
    lines = [
        f"## {scenario.name.capitalize()}",
        "",
        "| # | external call | killed | " + " | ".join(p.name for p in PROVIDERS) + " |",
        "| --- | --- | --- |" + " --- |" * len(PROVIDERS),
    ]
    cells = ((point, " | ".join(map(cell, aftermaths))) for point, aftermaths in rows)
    for (number, call, ends), same in itertools.groupby(cells, lambda row: (row[0].number, row[0].call, row[1])):
        lines.append(f"| {number} | {call} | {', '.join(point.when for point, _ in same)} | {ends} |")
    return "\n".join(lines)


def main() -> int:
    """Run the whole matrix; 1 where a row is not as it should be."""
    parser = argparse.ArgumentParser(prog="scripts/prove kill-matrix", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the summary into docs/proof.json")
    options = parser.parse_args()
    kills, lost, faults, tables = 0, 0, [], []
    drawn: list[tuple[int, str, str, list[bool]]] = []
    for scenario in SCENARIOS:
        rows = []
        for boundary, aftermaths in matrix(scenario):
            rows.append((boundary, aftermaths))
            print(
                scenario.name,
                boundary.number,
                boundary.call,
                boundary.when,
                *map(cell, aftermaths),
                sep=" | ",
                flush=True,
            )
            kills += sum(aftermath is not None for aftermath in aftermaths)
            dead = [aftermath is not None and not aftermath.alive for aftermath in aftermaths]
            lost += sum(dead)
            if scenario is SCENARIOS[0]:
                drawn.append((boundary.number, boundary.call, boundary.when, dead))
            for provider, aftermath in zip(PROVIDERS, aftermaths, strict=True):
                if aftermath and (found := fault(boundary, provider, aftermath)):
                    faults.append(f"{scenario.name}, {boundary}, {provider.name}: {found}")
        tables.append(table(scenario, rows))
    summary = f"{kills} processes were killed; {len(faults)} rows were not as they should be."
    print(summary, *faults, sep="\n")
    measured.keep("kills", "Killed processes", "\n\n".join([*tables, summary]))
    if options.write and not faults:
        measured.summarise("kill-matrix", {"killed": kills, "lost": lost, "refresh": drawn})
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
