"""`token-refresh fleet pause` and `resume`: of all, of a provider, of one secret, and for how long."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import typer

from fleet.command import HOUR, IN_FORCE, NOW, healthy, run, said
from fleet.rows import row, seen
from token_refresh_admin.cli.command import read_duration
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import LONGEST_FLEET_PAUSE, Pauses, State

FOR_A_WHILE = ("--for", "2h", "--why", "maintenance")


def test_pause_and_resume(index: TableIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause has an end, a person and a reason; `status` prints the fleet's on top.

    A container's user may have no name; its pause counts.
    """

    def nobody() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", nobody)
    index.add(healthy("a"))
    assert 0 == run("pause", "--all", "--for", "30m", "--why", "maintenance").exit_code
    assert 0 == run("pause", "--provider", "xero", *FOR_A_WHILE).exit_code

    pauses = index.pauses()
    assert pauses.fleet is not None
    assert ("maintenance", "somebody") == (pauses.fleet.why, pauses.fleet.by)
    assert abs(pauses.fleet.until - datetime.now(UTC) - timedelta(minutes=30)) < timedelta(minutes=1)
    assert abs(pauses.providers["xero"].until - datetime.now(UTC) - 2 * HOUR) < timedelta(minutes=1)
    assert "maintenance" in run("status").stdout

    assert [0, 0] == [run("resume", *what).exit_code for what in (["--all"], ["--provider", "xero"])]
    assert Pauses() == index.pauses()


def test_tokens_that_expire_first(index: TableIndex) -> None:
    """A pause says how many access tokens expire before it ends, and which is first; expired and dead ones are out."""
    for name, after in {"b": 2 * HOUR, "a": HOUR, "over": -HOUR, "later": 9 * HOUR}.items():
        index.add(row(name, found=seen(expires_at=NOW + after)))
    index.add(row("dead", found=seen(expires_at=NOW, state=State.REAUTHORIZE)))

    ended = run("pause", "--all", "--for", "3h", "--why", "maintenance")

    assert "2 access tokens will expire before that, the first, of a, at" in said(ended)


@pytest.mark.parametrize(
    "what",
    [
        FOR_A_WHILE,
        ["--all", "--provider", "xero", *FOR_A_WHILE],
        ["--all", "--for", "2 hours", "--why", "maintenance"],
        ["--all", "--for", "2h", "--why", "x" * 501],
        ["--all", "--for", "2h"],
        ["--all", "--for", "2h", "--why", ""],
        ["--all", "--why", "maintenance"],
        ["--secret", "one", *FOR_A_WHILE],
        ["--provider", " ", *FOR_A_WHILE],
    ],
)
def test_wrong_pauses(index: TableIndex, what: Sequence[str]) -> None:
    """A pause needs one thing to pause, a length and a reason; a script's empty variable is none of them."""
    assert run("pause", *what).exit_code not in {0, 1}
    assert Pauses() == index.pauses()
    assert not index.pause(IN_FORCE, secret_arn="")


def test_no_pause_outlasts_a_grant(index: TableIndex) -> None:
    """A pause during which a grant would end is refused, with the first such grant; ended and dead ones don't count."""
    ends = {"soon": 3 * HOUR, "sooner": HOUR, "over": -HOUR, "later": 99 * HOUR}
    for name, after in ends.items():
        index.add(row(name, found=seen(grant_ends_at=NOW + after)))
    index.add(row("dead", found=seen(grant_ends_at=NOW + HOUR / 2, rejected=True)))
    index.add(row("new", new=True))

    ended = run("pause", "--all", "--for", "1d", "--why", "maintenance")

    assert (2, Pauses()) == (ended.exit_code, index.pauses())
    assert "2 grants would end during the pause, the first, of secret sooner, at" in said(ended)
    assert [2, 0] == [
        run("pause", *what, "--for", "1d", "--why", "x").exit_code
        for what in (["--provider", "xero"], ["--provider", "hubspot"])
    ]
    assert 0 == run("pause", "--all", "--for", "30m", "--why", "maintenance").exit_code


def test_a_provider_that_nobody_has(index: TableIndex) -> None:
    """A name that no profile and no secret of the fleet has is refused: its pause would hold back nobody.

    A fleet's own profile is known by its secrets, and one of ours may be that of a secret which no run has read yet.
    """
    index.add(row("a", provider="their-own"))

    codes = [run("pause", "--provider", name, *FOR_A_WHILE).exit_code for name in ("nope", "their-own", "hubspot")]

    assert [2, 0, 0] == codes
    assert {"their-own", "hubspot"} == set(index.pauses().providers)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604800), ("32d", 0), ("0h", 0), ("h", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    """Durations are a number and a unit, up to a month; the error names the option and the longest one."""
    if seconds:
        assert seconds == read_duration("--for", text, LONGEST_FLEET_PAUSE).total_seconds()
    else:
        with pytest.raises(typer.BadParameter, match=r"^--for is a number with .* such as 2m, and at most 31 d$"):
            read_duration("--for", text, LONGEST_FLEET_PAUSE)
