"""Walk every state and every interrupted command in real processes, as operators who only read the messages.

`scripts/prove states` prints the rows, and keeps their tables in build/proof.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import measured
from cli.interruptions import COMMANDS, interrupt
from cli.mishaps import DEPLOYED, RELEASES, STATES, State, upgrade, walk
from cli.operators_desk import Desk, Processes
from cli.put_back import OVER_A_LIVING_GRANT, STARTS
from testbed.provider.authorization_server import AuthorizationServer

_STORES: Final = {False: "versions", True: "table"}
_STATES: Final = "state | claims in, or deployed | status | doctor | printed commands | services meanwhile | took"
_INTERRUPTED: Final = "command | claims in | interrupted after | then | it | status | doctor | printed commands | took"

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all rows share."""

    run: Processes
    folder: Path
    grace: AuthorizationServer
    single_use: AuthorizationServer

    def states(self, only: str) -> Iterator[Row]:
        """Walk each state, with claims in each store that it can have them in."""
        for name, state in STATES.items():
            for table in state.tables if only in name else ():
                yield from self._ways(name, _STORES[table], state, table=table)
        for name, state in {**DEPLOYED, **OVER_A_LIVING_GRANT, **STARTS}.items():
            for world in state.worlds if only in name else ():
                yield from self._ways(name, world, state, world=world)
        for name, world in RELEASES.items():
            if only in name:
                yield name, "versions", *_timed(partial(upgrade, world, self.run, self.folder))

    def interruptions(self, only: str) -> Iterator[Row]:
        """Interrupt each command after each of its writes, with both signals."""
        points = [(name, table) for name, command in COMMANDS.items() for table in command.tables if only in name]
        for name, table in points:
            for number in (signal.SIGKILL, signal.SIGINT):
                for write in range(1, 20):
                    row = _timed(partial(self._interrupt, name, write, number, table=table))
                    if not row:
                        break
                    yield name, _STORES[table], f"write {write}, {number.name}", *row

    def _ways(self, name: str, where: str, state: State, **desk: Any) -> Iterator[Row]:
        """Walk a state once for each command that its message prints."""
        for which in range(9):
            if not (row := _timed(partial(self._walk, state, which=which, **desk))):
                return
            yield name, where, *row

    def _walk(self, state: State, *, which: int, table: bool = False, world: str = "shell") -> Row:
        with self._desk(table=table, single_use=state.single_use, world=world) as desk:
            return walk(state, desk, which=which)

    def _interrupt(self, name: str, write: int, number: signal.Signals, *, table: bool) -> Row:
        with self._desk(table=table, single_use=True) as desk:
            return interrupt(name, write, number, desk) or ()

    def _desk(self, *, table: bool, single_use: bool, world: str = "shell") -> Desk:
        provider = self.single_use if single_use else self.grace
        return Desk(self.run, provider, self.folder, table=table, single_use=single_use, world=world)


def _timed(walks: Callable[[], Row]) -> Row:
    """Return a row with how long it took; of one that fails, why."""
    began = time.monotonic()
    try:
        row = walks()
    except AssertionError as failure:
        row = ("FAILED", " ".join(str(failure).split()))
    return row and (*row, f"{time.monotonic() - began:.0f} s")


def _table(head: str, rows: list[Row]) -> str:
    lines = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([f"| {head} |", f"|{' --- |' * len(head.split(' | '))}", *lines])


def main() -> int:
    """Walk all rows, or some; 1 where something that was said is not true, or does not help."""
    parser = argparse.ArgumentParser(prog="scripts/prove states", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows with this in their name")
    only = parser.parse_args().only
    tables, walked, failed = [], 0, 0
    with (
        tempfile.TemporaryDirectory() as folder,
        Processes(Path(folder)) as run,
        AuthorizationServer() as grace,
        AuthorizationServer(grace_seconds=0) as single_use,
    ):
        ground = Ground(run=run, folder=Path(folder), grace=grace, single_use=single_use)
        for head, walks in ((_STATES, ground.states(only)), (_INTERRUPTED, ground.interruptions(only))):
            rows = []
            for row in walks:
                print(*row, sep=" | ", flush=True)
                rows.append(row)
            tables.append(_table(head, rows))
            walked, failed = walked + len(rows), failed + sum("FAILED" in row for row in rows)
    summary = f"{walked} rows in real processes; {failed} were not as they should be."
    print(summary)
    measured.keep("states", "States and interrupted commands", "\n\n".join([*tables, summary]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
