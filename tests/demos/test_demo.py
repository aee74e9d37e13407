from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from demos import contest
from demos.account import Account
from demos.demo import play
from demos.report import Report
from demos.story import STORY
from playing import DEMO, NO_AWS, demo, handler_of
from testbed.aws_lambda.function import Function

ROOT = Path(__file__).parents[2]

LIES = """
    def handler(event, context):
        return {"outcome": "refreshed"}
"""
LEAKS = """
    import json

    from token_refresh_worker.bootstrap import secrets_manager_client
    from token_refresh_worker.handlers import refresh as worker

    def handler(event, context):
        value = secrets_manager_client().get_secret_value(SecretId="upwork-oauth-tokens", VersionStage="AWSCURRENT")
        print(json.loads(value["SecretString"])["accessToken"])
        return worker(event, context)
"""


def running(mark: str) -> list[str]:
    """Return the command lines of processes that were given `mark` and still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It ended meanwhile.
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().decode())
    return found


def test_story() -> None:
    """The demo plays every step, each does what it says, and it exits with 0."""
    played = demo("--logs", **NO_AWS)

    assert (0, "") == (played.returncode, played.stderr)
    for number, chapter in enumerate(STORY, 1):
        assert f"{number:>2}  {chapter.title}\n" in played.stdout
    assert "FAILED" not in played.stdout
    assert f"All {len(STORY)} steps did what they say" in played.stdout
    assert '"event": "token_refresh_finished"' in played.stdout
    assert "\x1b" not in played.stdout
    assert "(23 hours pass)" in played.stdout
    assert "(1 hour passes)" in played.stdout
    step = played.stdout[played.stdout.index("A scheduled run refreshes\n") :]
    assert step.index("labels after") < step.index("refresh requests") < step.index('"event"')
    # Whatever is as long as a token or a client secret is the ID of a version or a request.
    long_words = re.findall(r"[A-Za-z0-9_-]{30,}", played.stdout)
    assert [] == [word for word in long_words if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", word)]


def test_two_disasters_side_by_side() -> None:
    """By default 40 lines of 80 columns: both disasters revoke a plain handler's grant, and neither the worker's."""
    played = demo(**NO_AWS, COLUMNS="80")

    assert (0, "") == (played.returncode, played.stderr)
    lines = played.stdout.splitlines()
    assert len(lines) <= 40
    words = " ".join(played.stdout.split())
    assert "requests 6, 5 with a used token 1, none with a used token" in words
    assert "the next run fails with HTTPStatusError fails with RefreshOutcomeUnknown" in words
    assert "the plain handler 6, this worker 0. Grants revoked: 2 of 2, and 0 of 2." in words
    assert words.index("a claim: a version of the secret") < words.index("REFRESH_CLAIM")
    assert [] == re.findall(r"[A-Za-z0-9_-]{30,}", played.stdout)


def test_a_disaster_that_does_not_happen_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the plain handler comes through, or the worker does not, the demo says so and exits with 1."""
    ended = contest.Ended(runs=("refreshed",), accepted=1, rejected=0, api_status=200, secret="tokens (AWSCURRENT)")
    for part in ("healthy", "race", "kill"):
        monkeypatch.setattr(f"demos.contest._{part}", lambda *_: ended)

    assert 1 == contest.play()
    said = " ".join(capsys.readouterr().out.split())
    assert "FAILED, not so: the plain handler lost the race; the plain handler sent a used token; this worker" in said


def test_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that only claims to have refreshed fails: each step names what was not so, and the exit status is 1."""
    played = demo("--handler", handler_of(LIES, tmp_path, monkeypatch))

    assert (1, "") == (played.returncode, played.stderr)
    lines = " ".join(played.stdout.split())
    assert "Step 2 (A scheduled run refreshes) did not do what it says: refresh requests" in lines
    assert "Step 3 (The next run finds the token fresh) did not do what it says: outcome: expected fresh" in lines
    assert "Step 6 (A run is killed halfway) did not do what it says: not so: the run had stored its tokens" in lines
    assert "Step 1 " not in lines


def test_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that prints a token fails the last step, though all else went well and the demo never shows it."""
    handler = handler_of(LEAKS, tmp_path, monkeypatch)

    code = play(Report(logs=False), handler, [*STORY[:2], STORY[-1]])

    lines = " ".join(capsys.readouterr().out.split())
    assert 1 == code
    assert "Step 3 (No secret was printed) did not do what it says: of these were found: expected 0, saw 1" in lines
    assert 1 == lines.count("did not do what it says:")
    assert [] == re.findall(r"[A-Za-z0-9]{30,}", lines)


def test_single_use(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Told that refresh tokens are single use, the worker repeats no request, and the step that says so fails."""
    given = {"REPLAY_GRACE_SECONDS": "0"}
    monkeypatch.setattr(Account, "function", lambda account: Function(account.environment | given))
    killed = [chapter.title for chapter in STORY].index("A run is killed before it can store")

    code = play(Report(logs=False), story=[STORY[0], *STORY[killed : killed + 2]])

    lines = " ".join(capsys.readouterr().out.split())
    assert 1 == code
    assert "(The next run repeats the request) did not do what it says: outcome: expected refreshed" in lines
    assert 1 == lines.count("did not do what it says:")


@pytest.mark.parametrize(
    ("which", "shows"), [([], "Runtime.ImportModuleError"), (["webhooks"], "Step 11 (No secret was")]
)
def test_unloadable_handler(which: list[str], shows: str) -> None:
    """A handler that can't be loaded fails the steps that run it, and the demo still comes to its end."""
    played = demo(*which, "--handler", "no_such_module.handler")

    assert (1, "") == (played.returncode, played.stderr)
    assert shows in " ".join(played.stdout.split())


def test_interrupt() -> None:
    """Interrupted in the middle, the demo exits with 130, and no process that it started outlives it."""
    mark = f"/nonexistent/{uuid.uuid4()}"
    with subprocess.Popen(  # noqa: S603 - our own script
        [DEMO, "--all"],
        env=os.environ | {"PYTHONPATH": mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        next(line for line in process.stdout if line.startswith(" 5  "))
        assert len(running(mark)) >= 3
        process.send_signal(signal.SIGINT)
        process.stdout.read()

        assert "scripts/demo: interrupted; everything that was started has ended" == process.stderr.read().strip()
        assert 130 == process.wait()
    for _ in range(1200):  # A process that was being started ends by itself: it finds nobody to report to.
        if not running(mark):
            break
        time.sleep(0.05)
    assert [] == running(mark)


def test_story_is_explained() -> None:
    """A newcomer reads in half a sentence each what a claim and a record are."""
    said = " ".join(chapter.why for chapter in STORY)

    assert "a claim: a version of the secret that gives this run alone the right" in said
    assert "a record, a version that says how its attempt ended" in said
    assert "At a single-use provider the grant would be lost here: that is the one window." in said


@pytest.mark.parametrize(
    ("which", "says"), [([], "without an AWS"), (["webhooks"], "forged, replayed and malformed")], ids=["", "webhooks"]
)
def test_help(which: list[str], says: str) -> None:
    """`--help` says what the demo does and what its exit codes mean."""
    played = demo(*which, "--help")

    assert 0 == played.returncode
    assert says in played.stdout
    assert "exit codes: 0 " in played.stdout


def test_other_systems(tmp_path: Path) -> None:
    """On a system other than Linux the demo says so and starts nothing."""
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho Darwin\n")
    uname.chmod(0o755)

    played = demo(PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert (69, "", "scripts/demo: runs on Linux only; this is Darwin\n") == (
        played.returncode,
        played.stdout,
        played.stderr,
    )
