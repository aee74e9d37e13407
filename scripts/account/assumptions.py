"""The assumptions of `assumptions.toml`, and how `--list` prints them."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EMULATOR = "emulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """What is assumed of AWS; `assumptions.toml` says what each member means. A row has `check` or `unchecked`."""

    number: int
    assumes: str
    aws: str
    source: str
    relies: tuple[str, ...]
    breaks: str
    check: str | None = None
    unchecked: str | None = None
    against: str | None = None


def read_assumptions() -> tuple[Assumption, ...]:
    """Return all of them, in order."""
    rows = tomllib.loads(Path(__file__).with_name("assumptions.toml").read_text("utf-8"))["assumption"]
    return tuple(Assumption(**row | {"relies": tuple(row["relies"])}) for row in rows)


def listed(assumptions: Sequence[Assumption]) -> str:
    """Return them as text, one block each."""
    return "\n\n".join(_block(assumption) for assumption in assumptions) + "\n"


def _block(one: Assumption) -> str:
    if one.check is None:
        checked = f"not checked: {one.unchecked}"
    else:
        where = "the emulator (ministack)" if one.against == EMULATOR else f"a stand-in: {one.against}"
        checked = f"{one.check}; passes, and fails where the assumption is broken, against {where}"
    return "\n".join(
        (
            f"{one.number}. {one.assumes}",
            f"   AWS     {one.aws}",
            f"           {one.source}",
            f"   code    {', '.join(one.relies)}",
            f"   breaks  {one.breaks}",
            f"   check   {checked}",
        )
    )
