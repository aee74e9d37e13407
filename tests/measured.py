"""Keep what a proof measured: its table in build/proof, for releases, and its summary in docs/proof.json."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
SUMMARY: Final = ROOT / "docs" / "proof.json"
TABLES: Final = ROOT / "build" / "proof"


def keep(name: str, title: str, table: str, folder: Path = TABLES) -> None:
    """Write the whole table of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(f"# {title}\n\n{table}\n")


def summarise(name: str, found: dict[str, Any], file: Path = SUMMARY) -> None:
    """Replace the summary of one proof; those of the others stay."""
    summary = json.loads(file.read_text()) | {name: found}
    lines = (f"{json.dumps(proof)}: {json.dumps(figures)}" for proof, figures in summary.items())
    file.write_text("{{\n{}\n}}\n".format(",\n".join(lines)))


def digest(names: Iterable[str]) -> str:
    """Return what tells one list of searches or bugs from another."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
