"""Output that can't be written: a full disk, and a pipe that nobody reads."""

import errno
import io
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.authorizing import written
from cli.scene import SECRET_ID, Cli, Tokens, meanwhile
from cli.terminals import begin
from testbed.dynamodb.server import DynamoDbServer
from testbed.process import Child
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.advice import Command
from token_refresh_admin.cli import failures
from token_refresh_admin.cli.failures import ONE_PRESS_SECONDS, finishing, reported
from token_refresh_admin.cli.screen import Errors

COMMAND = str(Path(sys.executable).with_name("token-refresh"))
FULL = Path("/dev/full")


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(forks: Child, environment: dict[str, str], tmp_path: Path) -> Run:
    """Run a command with other standard streams; what it prints on the others comes back with its exit status."""

    def run(*arguments: str, out: int | None = None, err: int | None = None) -> tuple[int, str]:
        with Path(os.devnull).open() as nothing, (tmp_path / "printed").open("w+") as printed:
            files = [nothing.fileno(), *(printed.fileno() if file is None else file for file in (out, err))]
            ends, _ = begin(forks.announced["address"], arguments, tmp_path, environment, files)
            with ends:
                code = int(ends.recv(99))
            return code, (tmp_path / "printed").read_text()

    return run


@pytest.mark.parametrize(("arguments", "code"), [(("status",), 3), (("status", "--json"), 3), (("--help",), 1)])
def test_full_disk(run: Run, tokens: Tokens, arguments: tuple[str, ...], code: int) -> None:
    """On a full disk a command says that its output can't be written, and calls that no defect of its own."""
    tokens.store(expires_in=timedelta(days=1))

    with FULL.open("w") as full:
        ended, said = run(*arguments, out=full.fileno())

    assert (code, []) == (ended, re.findall("InternalError|Traceback", said))
    assert "the output can't be written (No space left on device)" in said


def test_nobody_reads_the_progress(run: Run, tokens: Tokens, cli: Cli) -> None:
    """A refresh whose progress can't be written (full disk, closed pipe) stores its tokens all the same."""
    tokens.store()
    reading, writing = os.pipe()
    os.close(reading)

    with FULL.open("w") as full:
        ended = [run("refresh", "--force", err=unwritable) for unwritable in (full.fileno(), writing)]
    os.close(writing)

    assert [(0, "refreshed")] * 2 == [(code, said.split()[0]) for code, said in ended]
    assert ["refreshed"] * 2 == [attempt["result"] for attempt in cli("status", "--json").json["attempts"]]


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("restore <&-", (2, "standard input is empty, so the question was not answered")),
        ("authorize --yes --paste --client-file client.json <&-", (2, "URL: standard input is empty; type it")),
        ("status >&-", (0, "")),
        ("status nope 2>&-", (3, "")),
    ],
)
def test_closed_streams(
    environment: dict[str, str], tokens: Tokens, tmp_path: Path, line: str, ends: tuple[int, str]
) -> None:
    """A standard stream that the caller has closed, as some schedulers do, is empty or discarded, and no defect."""
    written(tmp_path, {"clientId": "mine", "clientSecret": "made-up"})
    for _ in range(2):
        tokens.store(expires_in=timedelta(days=1))

    ended = subprocess.run(  # noqa: S603 - our own command, in a process of its own: a fork has all its streams
        ["/bin/sh", "-c", f"{shlex.quote(COMMAND)} {line}"],
        env=environment | {"AUTHORIZATION_ENDPOINT": "http://127.0.0.1:9/authorize"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    code, words = ends
    assert (code, []) == (ended.returncode, re.findall("InternalError|Traceback", ended.stdout + ended.stderr))
    assert words in " ".join(ended.stderr.split())


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts Python while the test lasts, whoever runs it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on at the first Ctrl-C even if standard error takes no word about it."""

    def refuse(_self: Errors, *_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Errors, "print", refuse)
    with finishing("The run ends first."):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
def test_one_press_that_arrives_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """npm, and Docker on WSL, send a Ctrl-C again that the terminal has sent: only a press of its own interrupts."""
    now = [100.0]
    monkeypatch.setattr(failures, "_now", lambda: now[0])
    with finishing("The run ends first."):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        now[0] += ONE_PRESS_SECONDS
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


class _Signalled(io.RawIOBase):
    """A terminal during whose first write a signal arrives; the buffer above takes no second write meanwhile."""

    def __init__(self) -> None:
        self.coming = [signal.SIGHUP]

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self.coming:
            signal.raise_signal(self.coming.pop())
        return len(data)


def test_signals_while_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on if signals arrive together, the second while the command prints about the first."""
    raw = _Signalled()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(raw), line_buffering=True))

    with finishing("The run ends first."):
        signal.raise_signal(signal.SIGTERM)

    assert not raw.coming


@pytest.mark.parametrize(
    "line", ["client --yes", "restore --yes", "revoke --by-hand --yes", "claims move --to=table --table=claims"]
)
def test_ctrl_c_while_it_writes(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, environment: dict[str, str], line: str
) -> None:
    """A command that is interrupted while it writes ends what it began."""
    before = [tokens.store(expires_in=timedelta(days=1), clientSecret="an-old-one") for _ in range(2)]
    meanwhile(store, lambda: os.kill(os.getpid(), signal.SIGINT))
    with DynamoDbServer() as table:
        table.create_table("claims", key="secret_arn")
        ended = cli(*line.split(), stdin="made-up\n", **environment | table.environment)

    # The token endpoint rejects the made-up client secret, and `client` says so in the end.
    assert ended.code == (2 if "client" in line else 0), ended.screen
    assert store.client().get_secret_value(SecretId=SECRET_ID)["VersionId"] not in before


@pytest.mark.parametrize("look", [None, lambda: Command.of("token-refresh status {}", "a")])
def test_what_ctrl_c_leaves(look: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that Ctrl-C ends prints how to look at what it stored, where it knows of which secret."""
    with pytest.raises(typer.Exit) as ended, reported(debug=False, look=look):
        raise KeyboardInterrupt

    said = " ".join(capsys.readouterr().err.split())
    what = "Interrupted. What was stored before stays"
    assert (130, f"{what}: token-refresh status a" if look else f"{what}.") == (ended.value.exit_code, said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_ignored_signal_stays_ignored(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a caller ignores, as `nohup` and background jobs do, interrupts nothing, however often it comes."""
    presses = iter(range(100, 900, 100))
    monkeypatch.setattr(failures, "_now", lambda: next(presses))
    before = signal.signal(number, signal.SIG_IGN)
    handlers = []
    try:
        with suppress(KeyboardInterrupt), finishing("The run ends first."):
            for _ in range(3):
                signal.raise_signal(number)
                handlers.append(signal.getsignal(number))
        handlers.append(signal.getsignal(number))
    finally:
        signal.signal(number, before)
    assert ([signal.SIG_IGN] * 4, "") == (handlers, capsys.readouterr().err)
