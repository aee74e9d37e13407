"""The assumptions of `assumptions.toml`, how `--list` prints them, and what a run found, as JSON and as Markdown."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EMULATOR = "emulator"
_SHOWN = ("number", "assumes", "check", "outcome")


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
    outcome: Literal["holds", "contradicted", "not checked", "failed"] = "not checked"
    """What a run made of it; `failed` says that its check could not be carried out."""
    found: str | None = None


def read_assumptions() -> tuple[Assumption, ...]:
    """Return all of them, in order."""
    rows = tomllib.loads(Path(__file__).with_name("assumptions.toml").read_text("utf-8"))["assumption"]
    return tuple(Assumption(**row | {"relies": tuple(row["relies"])}) for row in rows)


def listed(assumptions: Iterable[Assumption]) -> str:
    """Return them as text, one block each."""
    return "\n\n".join(_block(assumption) for assumption in assumptions) + "\n"


def _block(one: Assumption) -> str:
    where = "the emulator (ministack)" if one.against == EMULATOR else f"{one.against} (a stand-in: no emulator has it)"
    checked = f"{one.check}; today it passes, and fails where the assumption is broken, against {where}"
    return f"""\
{one.number}. {one.assumes}
   AWS     {one.aws}
           {one.source}
   code    {", ".join(one.relies)}
   breaks  {one.breaks}
   check   {checked if one.check else f"not checked: {one.unchecked}"}"""


def scrubbed(text: str) -> str:
    """Return text without account numbers, and without the people whom CloudFormation's reasons name."""
    return re.sub(r"(?<=:assumed-role/)\S+|(?<=:user/)\S+", "SOMEBODY", re.sub(r"(?<!\d)\d{12}(?!\d)", "ACCOUNT", text))


def write(rows: Iterable[Assumption], about: Mapping[str, str], folder: Path) -> list[Path]:
    """Write both forms, each with what they are about (version, time, regions), and return their paths.

    They have no account number and no value of a secret: attach them to an issue.
    """
    found = [
        {name: getattr(row, name) for name in _SHOWN} | {"found": row.found or row.unchecked or "the run ended before"}
        for row in rows
    ]
    cells = [[str(value or "").replace("|", "\\|") for value in row.values()] for row in found]
    lines = ["# What AWS does", "", ", ".join(f"{name} {value}" for name, value in about.items()), ""]
    lines += ["| | assumed | check | outcome | found |", "| --- | --- | --- | --- | --- |"]
    lines += [" ".join(f"| {' | '.join(row)} |".split()) for row in cells]
    forms = {
        "account.json": json.dumps({**about, "results": found}, indent=2),
        "account.md": "\n".join(lines),
    }
    for name, text in forms.items():
        (folder / name).write_text(scrubbed(text) + "\n", "utf-8")
    return [folder / name for name in forms]
