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

GROUP = "unmeasured"

SCRIPTS = Path(__file__).parent.parent / "scripts"
OURS = [path for path in sorted(SCRIPTS.iterdir()) if path.is_file() and os.access(path, os.X_OK)]
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
    program(folder / ".venv" / "bin" / "python", SLEEPS.replace("echo", "[ $1 = -c ] && exit 0\necho"))
    program(folder / ".venv" / "bin" / "uv", SLEEPS)
    for name in ("group.sh", "usage.sh", "test", "prove", "bench", "package"):
        shutil.copy(SCRIPTS / name, folder / "scripts")
    (folder / "build").mkdir()
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which nothing is installed."""
    folder = tmp_path_factory.mktemp("a fresh clone")
    shutil.copytree(SCRIPTS, folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("script", OURS, ids=lambda path: path.name)
def test_wrong_use(script: Path, clone: Path) -> None:
    """An option or word that a script doesn't have ends it with 64 before anything is installed; help needs nothing."""
    before = sorted(clone.rglob("*"))
    asked = clone / "scripts" / script.name
    unknown = ["nosuch"] if script.name == "test" else ["nosuch", "--nosuch"]  # what options pytest has, pytest knows

    for word in unknown:
        refused = run(str(asked), word)
        assert (64, "") == (refused.returncode, refused.stdout)
        assert refused.stderr.startswith(f"scripts/{script.name}: ")
        assert refused.stderr.endswith(f"See scripts/{script.name} --help\n")
    helped = run(str(asked), "--help")

    assert (0, "") == (helped.returncode, helped.stderr)
    assert f"  scripts/{script.name}" in helped.stdout
    assert "set -eu" not in helped.stdout
    assert helped.stdout == run(str(asked), "-h").stdout
    assert before == sorted(clone.rglob("*"))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("demo fleets", "no such command: fleets"),
        ("demo customers --logs", "no such option: --logs"),
        ("demo --provider=upwork --nosuch", "no such option: --nosuch"),
        ("lock --check locks", "unexpected: locks"),
        ("prove search --seed 5", "no such option: --seed"),
        ("prove", "says nothing of what to do"),
        ("deploy --nope prod", "no such option before NAME: --nope"),
        ("pictures demo", "no such picture: demo"),
    ],
)
def test_what_is_wrong_is_named(clone: Path, command: str, says: str) -> None:
    """A refusal names the word, also where another command of the same script has it."""
    name, *arguments = command.split()

    refused = run(str(clone / "scripts" / name), *arguments)

    assert (64, f"scripts/{name}: {says}. See scripts/{name} --help\n") == (refused.returncode, refused.stderr)


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
    child = in_a_terminal(checkout, command, starts)
    end(child)
    child.expect(pexpect.EOF)
    child.wait()

    assert (status, printed.format(command.split(maxsplit=1)[0])) == (child.exitstatus, child.before)
    wait_until_ended(*(checkout / "build" / "started").read_text().split())


def test_an_interrupted_package_says_so_once(checkout: Path) -> None:
    """Ctrl-C ends `scripts/package --check` with one line, though one run of the script waits for another."""
    child = in_a_terminal(checkout, "package --check", 1)
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()

    assert (130, "^C\r\nscripts/package: interrupted\r\n") == (child.exitstatus, child.before)


def in_a_terminal(checkout: Path, command: str, starts: int) -> Any:
    """A script that has started as many processes as `starts`."""
    name, *arguments = command.split()
    child = (
        pexpect.spawn(  # what `nohup` and a background job have their programs ignore ends a script here all the same
            "env",
            ["--default-signal=HUP,INT", "/bin/sh", str(checkout / "scripts" / name), *arguments],
            env=os.environ | {"TERM": "dumb"},
            encoding="utf-8",
            timeout=60,
        )
    )
    started = checkout / "build" / "started"
    while child.isalive() and not (started.exists() and len(started.read_text().split()) == starts):
        time.sleep(0.01)
    return child


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
    for part in ("--cov", "--group=deployments", "--group=unmeasured"):
        program(
            checkout / ".venv" / "bin" / "python",
            f'#!/bin/sh\ncase "$*" in -c*) exit 1 ;; *{part}*) echo "failed: {part}"; exit 3 ;; esac\n',
        )

        ended = run(str(checkout / "scripts" / "test"))

        assert 3 == ended.returncode
        assert f"failed: {part}" in ended.stdout
        assert "scripts/test: lint" in ended.stdout


def test_the_shell_changes_no_test(checkout: Path) -> None:
    """Neither Python nor pytest sees what the shell has set for others; whoever names tests gives them as arguments."""
    program(checkout / ".venv" / "bin" / "python", '#!/bin/sh\nenv | grep "^PYT"\necho "$@"\n')
    general = ("PYTHONWARNINGS=error", "PYTHONDONTWRITEBYTECODE=1", "PYTEST_ADDOPTS=-k nothing\n-x")

    ended = run("env", *general, "PYTHON=mine", str(checkout / "scripts" / "test"), "-x")

    assert (0, "PYTHON=mine\n-m pytest -x\n") == (ended.returncode, ended.stdout)


def test_closed_input(checkout: Path) -> None:
    """A long script whose input is closed, as by some schedulers, runs what it starts without any."""
    program(checkout / ".venv" / "bin" / "python", "#!/bin/sh\ncat && echo read nothing\n")

    ended = run("/bin/sh", "-c", 'exec "$0" races <&-', str(checkout / "scripts" / "prove"))

    assert (0, "read nothing\n", "") == (ended.returncode, ended.stdout, ended.stderr)


def wait_until_ended(*numbers: str) -> None:
    for number in numbers:
        for _ in range(6000):
            if not Path("/proc", number, "cmdline").exists() or not Path("/proc", number, "cmdline").read_bytes():
                break
            time.sleep(0.01)
        else:
            os.kill(int(number), signal.SIGKILL)
            pytest.fail("what the script started still ran")


@pytest.mark.parametrize(
    ("python", "status", "says"),
    [
        (
            "[ $1 = -c ] && exit; echo no space left; exit 28",
            28,
            ["no space left", "scripts/install: failed, and the lines above say why: often the network"],
        ),
        ('case "$*" in *libstdc*) exit 1 ;; esac', 69, ["scripts/install: needs libstdc++"]),
        ("exit 1", 69, ["scripts/install: needs Python 3.11 or later with venv and pip (Debian: apt-get"]),
    ],
    ids=["no space", "no libstdc++", "no venv"],
)
def test_a_failed_installation_says_what_to_do(tmp_path: Path, python: str, status: int, says: list[str]) -> None:
    """What fails in an installation is shown as it is, and the last line says what to do; what lacks is named first."""
    for name in ("admin", "locks", "reader", "scripts"):
        shutil.copytree(SCRIPTS.parent / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SCRIPTS.parent / "pyproject.toml", tmp_path)
    (tmp_path / "reader-typescript").mkdir()
    (tmp_path / "reader-typescript" / "package-lock.json").touch()
    program(tmp_path / "my python", f"#!/bin/sh\n{python}\n")

    failed = run("env", f"PYTHON={tmp_path}/my python", str(tmp_path / "scripts" / "install"), "demo")

    assert status == failed.returncode
    said = failed.stderr.splitlines()[1:]
    assert len(says) == len(said)
    assert all(line.startswith(words) for line, words in zip(said, says, strict=True)), said


@pytest.mark.parametrize("name", ["a:b", "a\nb"])
def test_a_path_without_a_place_in_path_is_refused(tmp_path: Path, name: str) -> None:
    """Where `PATH` can't name the checkout's programs, one line says so, and nothing is installed."""
    clone = tmp_path / name
    shutil.copytree(SCRIPTS, clone / "scripts", ignore=shutil.ignore_patterns("__pycache__"))

    refused = run(str(clone / "scripts" / "install"))

    assert (64, "") == (refused.returncode, refused.stdout)
    assert refused.stderr.endswith("in its path: move the checkout to a folder without them\n")
    assert {"scripts"} == {path.name for path in clone.iterdir()}
