"""The scripts that people run: each says what it does, works from anywhere, and ends when it is told to."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
OURS = [path for path in sorted(SCRIPTS.iterdir()) if path.is_file() and os.access(path, os.X_OK)]
PROOFS = ("search", "mutants", "kill-matrix", "races", "soak", "mutation", "conformance")


SLEEPS = """#!/bin/sh
echo $$ >>build/started
exec sleep 1000
"""
"""What stands for pytest and the linters: it is at work until somebody ends it."""


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)  # noqa: S603 - our own scripts


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with long scripts, in which what they start only sleeps."""
    folder = tmp_path / "a folder with spaces"
    program(folder / "scripts" / "install", "#!/bin/sh\n")
    program(folder / "scripts" / "lint", SLEEPS)
    program(folder / ".venv" / "bin" / "python", SLEEPS.replace("echo", "[ $1 = -c ] && exit 1\necho"))
    for name in ("group.sh", "test", "prove", "bench"):
        shutil.copy(SCRIPTS / name, folder / "scripts")
    (folder / "build").mkdir()
    return folder


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("script", OURS, ids=lambda path: path.name)
def test_help(script: Path, option: str) -> None:
    """With `-h` or `--help` every script prints its help on standard output, and does nothing else."""
    asked = run(str(script), option)

    assert (0, "") == (asked.returncode, asked.stderr)
    assert len(asked.stdout.split()) > 5
    assert "set -eu" not in asked.stdout


def test_from_anywhere(tmp_path: Path) -> None:
    """Every script works from another folder, by a relative path, and through a symbolic link."""
    for script in OURS:
        link = tmp_path / script.name
        link.symlink_to(script)

        relative = run(f"./{script.name}", "--help", cwd=SCRIPTS)

        assert (0, "") == (relative.returncode, relative.stderr)
        assert relative.stdout == run(str(link), "--help").stdout


@pytest.mark.parametrize(("command", "starts"), [("test", 4), ("prove races", 1), ("bench reader", 1)])
@pytest.mark.parametrize(
    ("end", "status", "printed"),
    [
        (pexpect.spawn.sendintr, 130, "^C\r\nscripts/{}: interrupted\r\n"),
        (lambda child: child.kill(15), 143, "\r\nscripts/{}: interrupted\r\n"),
        (lambda child: child.kill(1), 129, ""),
    ],
    ids=["Ctrl-C", "SIGTERM", "closed terminal"],
)
def test_what_is_interrupted_ends(  # noqa: PLR0917 - cases
    checkout: Path, command: str, starts: int, end: Callable[[Any], object], status: int, printed: str
) -> None:
    """Ctrl-C, a signal and a closed terminal end a long script at once, with one line, and all that it started."""
    name, *arguments = command.split()
    child = pexpect.spawn(
        "/bin/sh",
        [str(checkout / "scripts" / name), *arguments],
        env=os.environ | {"TERM": "dumb"},
        encoding="utf-8",
        timeout=60,
    )
    started = checkout / "build" / "started"
    while child.isalive() and not (started.exists() and len(started.read_text().split()) == starts):
        time.sleep(0.01)
    end(child)
    child.expect(pexpect.EOF)
    child.wait()

    assert (status, printed.format(name)) == (child.exitstatus, child.before)
    for number in started.read_text().split():
        wait_until_ended(number)


def test_what_was_started_just_now_ends_too(checkout: Path) -> None:
    """A signal that arrives in the moment between the start of a process and its note ends that one, too."""
    group, goes_on = checkout / "scripts" / "group.sh", checkout / "build" / "goes on"
    slow = f' & until [ -e "{goes_on}" ]; do sleep 0.01; done; running='
    assert " & running=" in group.read_text()
    group.write_text(group.read_text().replace(" & running=", slow))
    started = checkout / "build" / "started"

    with subprocess.Popen(["/bin/sh", checkout / "scripts" / "prove", "races"]) as prove:  # noqa: S603 - our own script
        while prove.poll() is None and not (started.exists() and started.read_text().split()):
            time.sleep(0.01)
        prove.terminate()
        goes_on.touch()

    assert 143 == prove.returncode
    wait_until_ended(*started.read_text().split())


def test_one_failure_fails_the_tests(checkout: Path) -> None:
    """`scripts/test` shows the output of each part, and fails with the part that fails, whichever it is."""
    program(checkout / "scripts" / "lint", "#!/bin/sh\n")
    for part in ("--cov", "tests/demos", "tests/races"):
        program(
            checkout / ".venv" / "bin" / "python",
            f'#!/bin/sh\ncase "$*" in -c*) exit 1 ;; *{part}*) echo "failed: {part}"; exit 3 ;; esac\n',
        )

        ended = run(str(checkout / "scripts" / "test"))

        assert 3 == ended.returncode
        assert f"failed: {part}" in ended.stdout
        assert "scripts/test: lint" in ended.stdout


def wait_until_ended(number: str) -> None:
    for _ in range(6000):
        if not Path("/proc", number, "cmdline").exists() or not Path("/proc", number, "cmdline").read_bytes():
            return
        time.sleep(0.01)
    os.kill(int(number), signal.SIGKILL)
    pytest.fail("what the script started still ran")


def test_a_failed_installation_says_what_to_do(tmp_path: Path) -> None:
    """What fails in an installation is shown as it is, and the last line says what to do."""
    for name in ("locks", "reader", "scripts"):
        shutil.copytree(SCRIPTS.parent / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SCRIPTS.parent / "pyproject.toml", tmp_path)
    (tmp_path / "reader-typescript").mkdir()
    (tmp_path / "reader-typescript" / "package-lock.json").touch()
    program(tmp_path / "python", "#!/bin/sh\n[ $1 = -c ] && exit\necho no space left; exit 28\n")

    failed = run("env", f"PYTHON={tmp_path}/python", str(tmp_path / "scripts" / "install"), "demo")

    assert 28 == failed.returncode
    assert ["no space left", "scripts/install: failed, and the lines above say why"] == [
        line.partition(": often")[0] for line in failed.stderr.splitlines()[1:]
    ]


@pytest.mark.parametrize("name", PROOFS)
def test_prove_names(name: str) -> None:
    """`scripts/prove --help` lists every proof, and each has help of its own."""
    assert f"\n  {name} " in run(str(SCRIPTS / "prove"), "--help").stdout

    asked = run(str(SCRIPTS / "prove"), name, "--help")

    assert (0, "") == (asked.returncode, asked.stderr)
    assert f"scripts/prove {name}" in asked.stdout


def test_unknown_proof() -> None:
    """A proof that does not exist is refused with the list of those that do."""
    asked = run(str(SCRIPTS / "prove"), "nothing")

    assert (64, "") == (asked.returncode, asked.stdout)
    assert "kill-matrix" in asked.stderr
