"""Count what mutmut found; fail below 95 %, and where survivors and their explanations don't match."""

import json
import sys
from pathlib import Path
from typing import Final

LEAST_KILLED: Final = 0.95
_KILLED: Final = frozenset({1, 3, 36, -24, 24, 152, 255})
"""Exit codes of mutmut for tests that failed, and for a mutant that hangs."""


def main(folder: Path, explained: Path) -> int:
    """Print the share of killed mutants, and what is not explained or explained in vain; 1 where that is too much."""
    codes: dict[str, int | None] = {}
    for meta in sorted(folder.rglob("*.meta")):
        codes |= json.loads(meta.read_text())["exit_code_by_key"]
    known = {line.partition(":")[0] for line in explained.read_text().splitlines() if not line.startswith("#")}
    survivors = [name for name, code in codes.items() if code not in _KILLED]
    unexplained = [name for name in survivors if name not in known]
    in_vain = sorted(known - set(survivors))
    killed = len(codes) - len(survivors)
    print(f"{killed} of {len(codes)} mutants killed ({killed / max(1, len(codes)):.1%})")
    print("\n".join([f"{len(survivors)} survive, {len(unexplained)} of them unexplained", *unexplained]))
    if in_vain:
        print("\n".join(["explained, and killed or gone:", *in_vain]))
    return int(bool(unexplained or in_vain) or killed < LEAST_KILLED * len(codes) or not codes)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
