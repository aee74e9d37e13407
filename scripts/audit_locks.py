"""Look up every locked package in the vulnerability database, and count those that could not be looked up.

`pip-audit` alone exits with 0 having audited nothing, where its database can't be reached.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VULNERABLE, NOT_AUDITED = 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What came of one lock."""

    lock: str
    audited: int
    skipped: int
    vulnerable: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every package was looked up, and there was one."""
        return self.audited > 0 and self.skipped == 0


def read_report(lock: str, report: str) -> Audit:
    """Count what `pip-audit --format json` says; a report that can't be read audited nothing."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        packages = []
    return Audit(
        lock=lock,
        audited=sum("skip_reason" not in package for package in packages),
        skipped=sum("skip_reason" in package for package in packages),
        vulnerable=tuple(
            f"{package['name']} {package['version']}: {finding['id']}"
            f" (fixed in {', '.join(finding['fix_versions']) or 'no version yet'})"
            for package in packages
            for finding in package.get("vulns", ())
        ),
    )


def run_pip_audit(lock: Path) -> Audit:
    """Audit one lock."""
    command = [
        str(Path(sys.executable).with_name("pip-audit")),
        "--disable-pip",
        "--require-hashes",
        "--progress-spinner",
    ]
    done = subprocess.run(  # noqa: S603 - from .venv, installed by hash
        [*command, "off", "--format", "json", "--requirement", str(lock)], capture_output=True, text=True, check=False
    )
    return read_report(lock.name, done.stdout)


def main(arguments: list[str]) -> int:
    """Print one line a lock; return 1 for a vulnerable package, and with --required 3 where the audit has gaps."""
    audits = [run_pip_audit(lock) for lock in sorted((ROOT / "locks").glob("*.txt"))]
    for audit in audits:
        print(f"locks/{audit.lock}: {audit.audited} packages audited, {audit.skipped} not")
        for finding in audit.vulnerable:
            print(f"  VULNERABLE {finding}")
    if any(audit.vulnerable for audit in audits):
        return VULNERABLE
    if all(audit.is_complete for audit in audits):
        return 0
    print("NOT AUDITED: the vulnerability database did not respond for every package", file=sys.stderr)
    return NOT_AUDITED if "--required" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
