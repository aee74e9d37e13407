import json
from typing import Any
from unittest.mock import Mock, call

import pytest

import audit_locks
from testbed.synthesis import ROOT

AUDITED: dict[str, Any] = {"name": "httpx", "version": "0.28.1", "vulns": []}
SKIPPED = {"name": "boto3", "skip_reason": "Dependency not found on PyPI and could not be audited: boto3"}
VULNERABLE = {
    "name": "h11",
    "version": "0.14.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.16.0"]}, {"id": "PYSEC-2", "fix_versions": []}],
}


NO_FINDING = json.dumps({"vulnerabilities": {}})
REQUIRED = ["--required"]


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def audited(monkeypatch: pytest.MonkeyPatch, said: str, said_of_npm: str, *options: str) -> int:
    """Audit where pip-audit and npm say this of each lock; give the exit status."""
    monkeypatch.setattr(audit_locks, "run_pip_audit", lambda lock: audit_locks.read_report(lock.name, said))
    monkeypatch.setattr(audit_locks, "run_npm_audit", lambda _: audit_locks.read_npm_report("npm", said_of_npm, 1))
    return audit_locks.main([*options])


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
    assert exit_status == audited(monkeypatch, said, NO_FINDING, *options)

    printed = capsys.readouterr()
    incomplete = "skip_reason" in said or said in ("", "[]", report())
    assert ("NOT AUDITED" in printed.err) == (incomplete and exit_status != audit_locks.VULNERABLE)
    assert ("VULNERABLE h11 0.14.0: PYSEC-1 (fixed in 0.16.0)" in printed.out) == (exit_status == 1)


def test_every_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lock is audited: what is deployed, and what tests, builds and deploys it."""
    run_pip_audit = Mock(return_value=audit_locks.read_report("pip", report(AUDITED)))
    run_npm_audit = Mock(return_value=audit_locks.read_npm_report("npm", NO_FINDING, 1))
    monkeypatch.setattr(audit_locks, "run_pip_audit", run_pip_audit)
    monkeypatch.setattr(audit_locks, "run_npm_audit", run_npm_audit)

    audit_locks.main([])

    assert [call(lock) for lock in sorted((ROOT / "locks").iterdir())] == run_pip_audit.call_args_list
    npm = [call(ROOT / folder / "package-lock.json") for folder in ("infra", "reader-typescript")]
    assert npm == run_npm_audit.call_args_list


@pytest.mark.parametrize(
    ("said", "exit_status"),
    [
        (json.dumps({"vulnerabilities": {"semver": {"severity": "high", "range": "<7.5.2"}}}), 1),
        (json.dumps({"error": {"code": "ENOAUDIT"}}), 3),
        ("", 3),
        ("[]", 3),
    ],
)
def test_the_lock_of_the_cdk_command(monkeypatch: pytest.MonkeyPatch, said: str, exit_status: int) -> None:
    """An advisory on a package of npm fails the audit, and so does a registry that names none."""
    assert exit_status == audited(monkeypatch, report(AUDITED), said, *REQUIRED)
