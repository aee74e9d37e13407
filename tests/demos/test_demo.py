import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demos import contest
from demos.account import Account
from demos.demo import main, play
from demos.events import CONTESTANTS, EVENTS, Ended, Ending, Event, Stage, ended
from demos.report import Report
from demos.scenario import SCENARIO
from examples import SHARE, drawn
from pages import captures
from pages.parts.profiles import EVENTS as OF
from pages.parts.profiles import KEPT as KEPT_AT
from pages.terminal import COLOURS, COLUMNS, plain
from playing import DEMO, NO_AWS, demo, handler_of
from token_refresh_worker.providers.loader import load_provider

ROOT = Path(__file__).parents[2]

LIES = """
    def handler(event, context):
        return {"outcome": "refreshed"}
"""
LEAKS = """
    import json

    from token_refresh_worker.bootstrap import aws_client
    from token_refresh_worker.handlers import refresh as worker

    def handler(event, context):
        value = aws_client("secretsmanager").get_secret_value(SecretId="upwork-oauth-tokens", VersionStage="AWSCURRENT")
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


def test_scenario() -> None:
    """The demo plays every step, each does what it says, and it exits with 0."""
    played = demo("--logs", **NO_AWS)

    assert (0, "") == (played.returncode, played.stderr)
    for number, chapter in enumerate(SCENARIO, 1):
        assert f"{number:>2}  {chapter.title}\n" in played.stdout
    assert "FAILED" not in played.stdout
    assert f"All {len(SCENARIO)} steps did what they say" in played.stdout
    assert '"event": "token_refresh_finished"' in played.stdout
    assert "\x1b" not in played.stdout
    assert "(23 hours pass)" in played.stdout
    assert "(1 hour passes)" in played.stdout
    step = played.stdout[played.stdout.index("A scheduled run refreshes\n") :]
    assert step.index("labels after") < step.index("refresh requests") < step.index('"event"')
    # Whatever is as long as a token or a client secret is the ID of a version or a request.
    long_words = re.findall(r"[A-Za-z0-9_-]{30,}", played.stdout)
    assert [] == [word for word in long_words if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", word)]


def test_contest_where_tokens_work_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By default 40 lines of 80 columns: who keeps the grant through each event, and what the words mean.

    Each night it plays all events; the next test plays a third of them in each run.
    """
    began = datetime.now(UTC)
    if SHARE == 1:
        played = demo(**NO_AWS, **COLOURS)
        assert (0, "") == (played.returncode, played.stderr)
        said = played.stdout
    else:
        for name, value in COLOURS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(contest, "play_events", lambda _: rows())
        assert 0 == main([])
        said = capsys.readouterr().out

    assert (ROOT / "docs" / "pictures" / "demo.svg").read_text() == captures.contest(said, began), (
        "run: scripts/pictures demo.svg"
    )
    assert (80, True) == (COLUMNS, len(said.splitlines()) <= 40)
    words = " ".join(plain(said).split())
    for handler in ("scripts/benchmarks/handlers/careful.py", "examples/claiming_handler.py"):
        assert f" {handler} ({len((ROOT / handler).read_text().splitlines())} lines)" in words
    for event in EVENTS:
        assert f"{event.title} {' '.join(event.expected)} " in words
    careful, claiming, worker = (len(EVENTS) - kept for kept in KEPT_AT["github"])
    assert f"careful handler {careful} (10), handler with a claim {claiming} (0), this worker {worker} (0)." in words
    assert f"after {careful} events with a careful handler, {claiming} with one that claims, {worker} with" in words
    assert words.index("stores a claim before it sends the token") < words.index("kept: runs go on.")
    assert [] == re.findall(r"[A-Za-z0-9_-]{30,}", words)


def test_events_of_the_contest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the events: each ends as expected for each contestant, and the careful one alone sends used tokens."""
    events = drawn(EVENTS, 3)
    monkeypatch.setattr(contest, "EVENTS", events)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "scripts"), prepend=os.pathsep)  # where the careful handler is

    played = contest.play_events(None)

    assert events == [event for event, _ in played]
    assert [] == contest.unexpected(played, single_use=True)
    expected = dict(rows())
    assert {event.title: expected[event] for event in events} == {event.title: row for event, row in played}


def test_the_table_of_readme_knows_every_event() -> None:
    """What README says of a kind of refresh token is of as many events as the demo plays, for each contestant."""
    expected = tuple(
        sum(event.expected[place] is not Ending.LOST for event in EVENTS) for place in range(len(CONTESTANTS))
    )
    assert (len(EVENTS), expected) == (OF, KEPT_AT["github"])


@pytest.mark.skipif(os.environ.get("EXAMPLES") != "all", reason="half a minute each: the nightly workflow plays them")
@pytest.mark.parametrize(
    ("provider", "says"),
    [
        ("google", "a careful handler is enough, with an alarm on its errors."),
        ("upwork", "a careful handler is enough, with an alarm on its errors."),
        ("xero", "after 5 events with a careful handler, 2 with one that claims, 1 with this worker."),
    ],
)
def test_contest_at_others_that_readme_names(provider: str, says: str) -> None:
    """README has in how many of the failures each grant lives on, and where a careful handler is enough."""
    words = " ".join(demo("--provider", provider, **NO_AWS, COLUMNS="80").stdout.split())

    endings = "|".join(Ending)
    ends = [re.search(rf"{re.escape(event.title)} ({endings}) ({endings}) ({endings})", words) for event in EVENTS]
    kept = [sum(it is not None and it[place] != Ending.LOST for it in ends) for place in (1, 2, 3)]
    assert KEPT_AT[provider] == tuple(kept)
    assert says in words


HEEDLESS = """
    from examples import claiming_handler

    put = claiming_handler.put

    def heedless(*version):
        put(*version)
        return True

    claiming_handler.put, handler = heedless, claiming_handler.handler
"""


@pytest.mark.parametrize(("heeds", "ending"), [(True, Ending.KEPT), (False, Ending.LOST)])
def test_the_contest_notices_a_claim_that_lets_two_through(
    heeds: bool,  # noqa: FBT001 - a parameter of the test
    ending: Ending,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two deployments that have both read that nobody claims, both send the token if a refused claim counts."""
    contestant = CONTESTANTS[1]
    if not heeds:
        contestant = dataclasses.replace(contestant, handler=handler_of(HEEDLESS, tmp_path, monkeypatch))
    (event,) = (event for event in EVENTS if "second deployment" in event.title)
    with contextlib.ExitStack() as opened:
        account = opened.enter_context(Account(grace_seconds=0))
        assert ending is ended(event, Stage(contestant, account, opened)).ending


KEPT, WAITS, COMMAND, LOST = (Ended(ending=ending) for ending in Ending)
SENT = dataclasses.replace(KEPT, rejected=1)


def rows(*others: tuple[Ended, ...]) -> list[tuple[Event, Sequence[Ended]]]:
    """The contest as it must end, with other endings for the first events: a careful handler sends used tokens."""
    expected = [
        tuple(
            Ended(ending=ending, rejected=int(contestant is CONTESTANTS[0] and ending is Ending.LOST))
            for contestant, ending in zip(CONTESTANTS, event.expected, strict=True)
        )
        for event in EVENTS
    ]
    return [*zip(EVENTS, [*others, *expected[len(others) :]], strict=True)]


def test_an_ending_that_is_not_expected_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a small handler comes through, or the worker does not, the demo says so and exits with 1."""
    monkeypatch.setattr(
        contest, "play_events", lambda _: rows((KEPT, WAITS, WAITS), (KEPT, KEPT, SENT), (KEPT, KEPT, KEPT))
    )

    assert 1 == contest.play()
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "FAILED, not so: two scheduled runs overlap: this worker sends no used token; "
        "a forced run from a terminal beside a run: LOST, kept, kept"
    ) in said
    # A used token counts against the worker at every provider, also where nothing is lost.
    assert [] == contest.unexpected(rows((LOST, LOST, KEPT)), single_use=False)
    assert 1 == len(contest.unexpected(rows((KEPT, KEPT, SENT)), single_use=False))


@pytest.mark.parametrize(
    ("failed", "says"),
    [
        (0, "is enough, with an alarm"),
        (1, f"is enough, unless this happens: {EVENTS[0].title}."),
        (2, "after 2 events with a careful handler, 0 with one that claims, 0 with this worker."),
    ],
)
def test_advice(failed: int, says: str) -> None:
    """The last words follow from how often a careful handler needs a person."""
    kept = [(event, (KEPT, KEPT, KEPT)) for event in EVENTS[failed:]]
    needs_person = [(event, (LOST, COMMAND, KEPT)) for event in EVENTS[:failed]]

    assert says in contest.advice([*needs_person, *kept])


@pytest.mark.parametrize(
    ("provider", "tokens"),
    [
        ("google", "never changes, as at Google"),
        ("github", "works once, as at GitHub App (user token)"),
        ("xero", "works again for 0.5 h once it was used, as at Xero"),
        ("facebook", "never changes: Facebook Login has none, and what it has instead can be sent again, too"),
    ],
)
def test_what_is_played(
    provider: str, tokens: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first lines say how long a refresh token of this provider works; where it has none, how that is played."""
    monkeypatch.setattr(contest, "play_events", lambda _: rows())

    contest.play(load_provider(provider))

    assert f"A refresh token {tokens}." in " ".join(capsys.readouterr().out.split())


def test_what_it_can_not_play(tmp_path: Path) -> None:
    """A provider without a profile, the option beside others that it doesn't change, and another system are refused."""
    (tmp_path / "uname").write_text("#!/bin/sh\necho Darwin\n")
    (tmp_path / "uname").chmod(0o755)
    played = demo(PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (69, "") == (played.returncode, played.stdout)
    assert "scripts/demo: runs on Linux only; this is Darwin\n" == played.stderr
    for arguments, why in ((["nowhere"], "token-refresh providers"), (["upwork", "--all"], "without other options")):
        refused = demo("--provider", *arguments)

        assert (64, "") == (refused.returncode, refused.stdout)
        assert why in refused.stderr


def test_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A handler that only claims to have refreshed fails: each step names what was not so, and the exit status is 1."""
    assert 1 == play(Report(logs=False), handler_of(LIES, tmp_path, monkeypatch), SCENARIO[:6])

    lines = " ".join(capsys.readouterr().out.split())
    assert "Step 2 (A scheduled run refreshes) did not do what it says: refresh requests" in lines
    assert "Step 3 (The next run finds the token fresh) did not do what it says: outcome: expected fresh" in lines
    assert "Step 6 (A run is killed halfway) did not do what it says: not so: the run had stored its tokens" in lines
    assert "Step 1 " not in lines


def test_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that prints a token fails the last step, though all else went well and the demo never shows it."""
    handler = handler_of(LEAKS, tmp_path, monkeypatch)

    code = play(Report(logs=False), handler, [*SCENARIO[:2], SCENARIO[-1]])

    lines = " ".join(capsys.readouterr().out.split())
    assert 1 == code
    assert "Step 3 (No secret was printed) did not do what it says: of these were found: expected 0, saw 1" in lines
    assert 1 == lines.count("did not do what it says:")
    assert [] == re.findall(r"[A-Za-z0-9]{30,}", lines)


LATE = """
import atexit, sys, types
from demos.__main__ import main

def interrupted(arguments):
    raise KeyboardInterrupt

sys.modules["demos.demo"] = types.SimpleNamespace(main=interrupted)
atexit.register(lambda: 1 / 0)
sys.exit(main([]))
"""


def test_interrupt_is_the_last_word() -> None:
    """What libraries say at exit doesn't follow the line that says that the demo was interrupted."""
    ended = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", LATE],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    said = "scripts/demo: interrupted; everything that was started has ended"
    assert (130, said) == (ended.returncode, ended.stderr.strip())


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
