"""What a run found, as JSON and as Markdown: to be attached to an issue. No account number, no value of a secret."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from account.assumptions import Assumption


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one assumption; `failed` says that its check could not be carried out."""

    number: int
    check: str | None
    outcome: Literal["holds", "contradicted", "not checked", "failed"]
    found: str


def scrubbed(text: str) -> str:
    """Return text without account numbers."""
    return re.sub(r"(?<!\d)\d{12}(?!\d)", "ACCOUNT", text)


def write(
    results: Sequence[Result], about: Mapping[str, str], assumptions: Sequence[Assumption], folder: Path
) -> list[Path]:
    """Write both forms, each with what they are about (version, time, regions), and return their paths."""
    assumed = {one.number: one.assumes for one in assumptions}
    found = [asdict(result) | {"assumes": assumed[result.number]} for result in results]
    rows = [[str(row[name] or "") for name in ("number", "assumes", "check", "outcome", "found")] for row in found]
    table = [" ".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |".split()) for row in rows]
    head = ["# What AWS does", "", ", ".join(f"{name} {value}" for name, value in about.items()), ""]
    columns = ["| | assumed | check | outcome | found |", "| --- | --- | --- | --- | --- |"]
    forms = {
        "account.json": json.dumps({**about, "results": found}, indent=2) + "\n",
        "account.md": "\n".join([*head, *columns, *table, ""]),
    }
    for name, text in forms.items():
        (folder / name).write_text(scrubbed(text), "utf-8")
    return [folder / name for name in forms]
