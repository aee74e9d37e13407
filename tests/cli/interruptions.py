"""A command that is interrupted after each of its writes, and another operator's command after it."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

from cli.operators_desk import PUBLISHED, SECRET, TABLE, Desk


def _nothing(_: Desk) -> None:
    """Leave it as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """One command, as an operator gives it."""

    line: str
    before: Callable[[Desk], object] = _nothing
    completed: Callable[[Desk], object] = _nothing
    """What the first or another operator does once the command has been completed, which the command said."""
    loses: bool = False
    """Whether a consent may follow: the grant is given up on purpose, or replaced."""
    tables: tuple[bool, ...] = (False, True)
    """Whether claims are in a table; by default each once."""


def _paused(desk: Desk) -> None:
    desk.done("pause --for 1h --why maintenance")


def _resumed(desk: Desk) -> None:
    desk.done("resume")


def _moved_to_table(desk: Desk) -> None:
    desk.environment["CLAIM_TABLE"] = TABLE


def _moved_to_versions(desk: Desk) -> None:
    desk.environment.pop("CLAIM_TABLE", None)


def _unpublished(desk: Desk) -> None:
    desk.put("[]", PUBLISHED)


COMMANDS: Final[dict[str, Interrupted]] = {
    "refresh": Interrupted(line="refresh --force --yes"),
    "publish": Interrupted(line="refresh", before=_unpublished),
    "restore": Interrupted(line="restore --yes", before=lambda desk: desk.put("[]")),
    "client": Interrupted(line="client --yes", before=lambda desk: desk.edit(clientSecret="an-old-one")),
    "pause": Interrupted(line="pause --for 1h --why maintenance", completed=_resumed),
    "resume": Interrupted(line="resume", before=_paused, completed=_resumed),
    "authorize": Interrupted(line=f"authorize {SECRET}", loses=True),
    "revoke": Interrupted(line="revoke --by-hand --yes", loses=True),
    "claims move": Interrupted(
        line=f"claims move --to table --table {TABLE}", completed=_moved_to_table, tables=(False,)
    ),
    "claims move back": Interrupted(line="claims move --to versions", completed=_moved_to_versions, tables=(True,)),
}


def interrupt(name: str, write: int, number: signal.Signals, desk: Desk) -> tuple[str, ...] | None:
    """Interrupt a command after a write, and give the row of the table; None if it has no such write.

    After a kill another operator gives the same command; after Ctrl-C, one that refreshes.

    Raises:
        AssertionError: Something that was said is not true, or does not help.
    """
    command, begun = COMMANDS[name], SimpleQueue[int]()
    command.before(desk)
    desk.strike_at(write, lambda: os.kill(begun.get(), number))
    ended = desk.run(command.line, begun=begun)
    if not desk.was_struck:
        assert 0 == ended.code, ended.screen
        desk.strike_at(0, lambda: None)
        return None
    assert ended.code in {-number, 0, 130}, ended.screen

    second = command.line if number is signal.SIGKILL else "refresh --force --yes"
    after = desk.run(second)
    status, doctor = desk.run("status"), desk.run("doctor")
    assert status.code in {0, 1, 2}, status.screen
    assert (status.code == 2) <= (doctor.code == 1), f"{status.screen} {doctor.screen}"
    if status.code == 0:
        assert desk.document["accessToken"] == desk.read()
    if name.startswith("claims move"):
        desk.done(command.line)  # As `claims move --help` says.
    command.completed(desk)
    desk.pass_time(minutes=25)  # What is under way is called well; by then its claim has ended.
    desk.consents = name == "revoke"
    followed = desk.heal()
    assert command.loses or "authorize" not in followed, followed
    assert len(followed) <= 3, followed
    desk.assert_well()
    return (second, str(after.code), str(status.code), str(doctor.code), ", ".join(followed) or "-")
