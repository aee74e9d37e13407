from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import audit_locks
from infra.synthesis import ROOT

AUDITED: dict[str, Any] = {"name": "httpx", "version": "0.28.1", "vulns": []}
SKIPPED = {"name": "boto3", "skip_reason": "Dependency not found on PyPI and could not be audited: boto3"}
VULNERABLE = {
    "name": "h11",
    "version": "0.14.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.16.0"]}, {"id": "PYSEC-2", "fix_versions": []}],
}


REQUIRED = ["--required"]


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("said", "options", "exit_status"),
    [
        (report(AUDITED, AUDITED), REQUIRED, 0),
        (report(SKIPPED, SKIPPED), [], 0),
        (report(SKIPPED, SKIPPED), REQUIRED, 3),
        (report(AUDITED, SKIPPED), REQUIRED, 3),
        (report(), REQUIRED, 3),
        ("", REQUIRED, 3),
        ("[]", REQUIRED, 3),
        (report(AUDITED, VULNERABLE), [], 1),
        (report(SKIPPED, VULNERABLE), REQUIRED, 1),
    ],
)
def test_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, options: list[str], exit_status: int
) -> None:
    """An audit that could not look everything up says so, and fails where CI requires it; a finding always fails."""
    monkeypatch.setattr(audit_locks, "run_pip_audit", lambda lock: audit_locks.read_report(lock.name, said))

    assert exit_status == audit_locks.main(options)

    printed = capsys.readouterr()
    incomplete = "skip_reason" in said or said in ("", "[]", report())
    assert ("NOT AUDITED" in printed.err) == (incomplete and exit_status != audit_locks.VULNERABLE)
    assert ("VULNERABLE h11 0.14.0: PYSEC-1 (fixed in 0.16.0)" in printed.out) == (exit_status == 1)


def test_every_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lock is audited: what is deployed, and what tests, builds and deploys it."""
    asked: list[Path] = []

    def audit(lock: Path) -> audit_locks.Audit:
        asked.append(lock)
        return audit_locks.read_report(lock.name, report(AUDITED))

    monkeypatch.setattr(audit_locks, "run_pip_audit", audit)

    audit_locks.main([])

    assert sorted((ROOT / "locks").iterdir()) == asked
