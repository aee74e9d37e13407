"""`token-refresh fleet status`: what it prints, and its exit status."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner

from fleet.command import HOUR, IN_FORCE, NOW, dead, healthy, late, run, status_of, view_of
from fleet.doubles import CommandsTable
from fleet.rows import HOST, arn, failed, opened, row, seen
from fleet.rows import rows as rows_of
from token_refresh.errors import TokenRefreshError
from token_refresh_admin.cli.app import app
from token_refresh_admin.cli.fleet.status import lay_out
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.breaker import STORE, Breaker, BreakerReason
from token_refresh_worker.fleet.core.dispatch import message_id
from token_refresh_worker.fleet.core.row import Row, State


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([], 0),
        ([healthy("a")], 0),
        ([healthy("a"), dead("b")], 1),
        ([replace(dead("a"), pause=IN_FORCE)], 1),
        ([healthy("a"), dead("b"), late("c")], 2),
    ],
)
def test_exit_status(index: TableIndex, rows: list[Row], code: int) -> None:
    """The exit status is 0 if all is well, 1 if somebody has to act, paused or not, and 2 if a secret is overdue."""
    for member in rows:
        index.add(member)

    assert code == run("status").exit_code


def test_unknown(moto_index: TableIndex) -> None:
    """A fleet that can't be read is status 3, and the error says what to deploy."""
    del moto_index
    ended = run("status", "--fleet", "missing")

    assert 3 == ended.exit_code
    assert "ConfigurationError" in ended.stderr


def test_summary_first(index: TableIndex) -> None:
    """The first line counts the states, worst first; rows follow, worst first, and no more than asked for."""
    index.add(healthy("fine/1"))
    assert "fleet prod  1 secret  1 healthy" == run("status").stdout.splitlines()[0].strip()
    for member in (healthy("fine/2"), dead("dead/1"), late("late/1")):
        index.add(member)
    index.add(row("new/1", new=True))
    index.pause(IN_FORCE)
    index.pause(None)

    lines = run("status", "--limit", "2").stdout.splitlines()

    assert "fleet prod  5 secrets  1 overdue  1 reauthorize  1 due  2 healthy" == lines[0].strip()
    names = [line.split()[0] for line in lines if line.split()[:1] and "/" in line.split()[0]]
    assert ["late/1", "dead/1"] == names
    assert "and 3 more; narrow them with --provider or --state, or use --json" in lines[-1]
    assert "none yet" in run("status").stdout


def test_a_narrow_terminal(index: TableIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns no line is longer, and states, times and the names of errors are whole, however long the others."""
    monkeypatch.setenv("COLUMNS", "80")
    for number, error_type in enumerate(sorted(kind.__name__ for kind in _kinds(TokenRefreshError))):
        run = failed(error_type, at=NOW - HOUR, state=list(State)[number % 5])
        index.add(row(f"customers/{'x' * 99}/{number}", provider="a-provider-with-a-very-long-name", found=run))
    index.add(late("late/1"))
    index.pause(IN_FORCE, secret_arn=arn("late/1"))

    lines = CliRunner().invoke(app, ["fleet", "status", "--limit", "1000"]).stdout.splitlines()

    assert max(map(len, lines)) <= 80
    words = Counter(" ".join(lines).split())
    assert {kind.__name__ for kind in _kinds(TokenRefreshError)} <= set(words)
    assert words["overdue"]
    assert 1 < words["reauthorize"]


def _kinds(error: type[TokenRefreshError]) -> set[type[TokenRefreshError]]:
    return {error}.union(*map(_kinds, error.__subclasses__()))


def printed(rows: list[Row], *, limit: int) -> str:
    console = Console(width=80, file=StringIO())
    console.print(*lay_out(view_of(rows), limit=limit), sep="\n")
    return cast("StringIO", console.file).getvalue()


def test_the_next_to_expire_comes_first(index: TableIndex) -> None:
    """Rows in the same state are sorted by their expiry, whatever their names are."""
    for number, name in enumerate("bca"):
        (member,) = rows_of(1, name=name, expires_at=NOW + (number + 1) * HOUR)
        index.add(member)

    lines = run("status").stdout.splitlines()

    assert ["b/0", "c/0", "a/0"] == [line.split()[0] for line in lines if "/0" in line]
    assert "b/0" not in run("status", "--limit", "0").stdout


def test_json(index: TableIndex) -> None:
    """For machines there is one object with health, counts and every row, and no key without a value.

    Rows are narrowed by provider and by state.
    """
    index.add(dead("dead/1"))
    index.add(row("new/1", new=True))
    index.pause(IN_FORCE, provider="xero")

    whole = status_of()

    assert {"fleet": "prod", "health": "attention", "secrets": 2}.items() <= whole.items()
    assert {"reauthorize": 1, "paused": 1} == whole["states"]
    assert ("ReauthorizationRequired", 1) == (whole["rows"][0]["error_type"], whole["rows"][0]["failures"])
    assert "operator" == whole["rows"][1]["paused_by"]
    assert None not in whole["rows"][1].values()
    for what, name in ((("--provider", "hubspot"), "dead/1"), (("--state", "paused"), "new/1")):
        assert [arn(name)] == [found["secret_id"] for found in status_of(*what)["rows"]]


def test_who_left(index: TableIndex) -> None:
    """For a week `status` says who left; those whose tag or secret vanished within a day need somebody.

    With --provider, it says that of that provider's alone.
    """
    now = datetime.now(UTC)
    for name in ("stays", "removed", "vanished", "long-gone", "of-yesterday"):
        index.add(replace(healthy(name), provider="hubspot" if name == "of-yesterday" else "xero"))
    index.remove(arn("removed"), now, quietly=True)
    index.remove(arn("of-yesterday"), now - 25 * HOUR, quietly=False)
    index.remove(arn("long-gone"), now - 8 * 24 * HOUR, quietly=False)

    def status(*options: str) -> tuple[int, list[str]]:
        ended = run("status", "--json", *options)
        return ended.exit_code, [found["secret_id"] for found in json.loads(ended.stdout)["left"]]

    assert (0, [arn("removed"), arn("of-yesterday")]) == status()
    index.remove(arn("vanished"), now, quietly=False)
    assert (1, [arn("vanished"), arn("removed"), arn("of-yesterday")]) == status()
    assert (0, []) == status("--state", "healthy")
    assert (1, [arn("vanished"), arn("removed")]) == status("--provider", "xero")
    found = {each["secret_id"]: each for each in status_of()["left"]}
    assert ["hubspot", "xero"] == [found[arn(name)]["provider"] for name in ("of-yesterday", "vanished")]
    assert [True, False] == [found[arn(name)]["removed"] for name in ("removed", "vanished")]
    shown = run("status").stdout
    assert "left within a week: 1 by fleet remove, 2 since their tag or secret vanished" in shown
    assert ["of-yesterday", "hubspot", "1", "d", "ago"] == shown.splitlines()[-1].split()
    assert "vanished" in shown.splitlines()[-2]
    assert "removed  " not in shown
    assert "of-yesterday" not in run("status", "--limit", "0").stdout


def test_open_breakers(index: TableIndex) -> None:
    """The summary names the breakers that the dispatcher left open, and why; with --provider, that provider's alone.

    Nothing is decided anew: rows that failed open none by themselves, and those of the dispatcher may say otherwise.
    """
    now = datetime.now(UTC)
    for number in range(5):
        index.add(row(f"down/{number}", provider="upwork", found=failed("TokenEndpointUnavailable", at=now)))
        index.add(row(f"wrong/{number}", provider="xero", found=seen(at=now)))
    assert {} == status_of()["breakers"]
    rejects = Breaker(reason=BreakerReason.CLIENT_REJECTED, allowed=1)
    index.tell_breakers(opened(f"upwork/{HOST}") | {f"xero/{HOST}": rejects}, now)

    shown = run("status").stdout
    assert f"breaker of upwork/{HOST} is open: no response; 0 runs at once" in shown
    assert f"breaker of xero/{HOST} is open: client rejected; 1 run at once" in shown
    assert {f"upwork/{HOST}": "no_response", f"xero/{HOST}": "client_rejected"} == status_of()["breakers"]
    assert {f"xero/{HOST}"} == set(status_of("--provider", "xero")["breakers"])


KEPT = seen(error_type="TokensKept", at=NOW, refused_at=NOW, expires_at=NOW + 2 * HOUR, due_at=NOW + HOUR)


@pytest.mark.parametrize(
    ("member", "code", "words"),
    [
        (replace(late("gone"), pause=IN_FORCE), 2, "expired: 1 access token, the first of gone"),
        (row("new", new=True), 1, "joined over ten minutes ago, and never read: 1 secret"),
        (
            row("doubted", found=seen(error_type="TokenEndpointUnavailable", expires_at=None, due_at=None)),
            1,
            "without an access token whose expiry is believed: 1, the first in doubted",
        ),
        (
            row("refused", next_at=NOW + HOUR, found=KEPT),
            1,
            "refused by Secrets Manager, and not stored since: 1 secret",
        ),
    ],
    ids=["expired behind a pause", "unread", "not believed", "refused"],
)
def test_what_states_do_not_say(index: TableIndex, member: Row, code: int, words: str) -> None:
    """A pause excuses no expired token; what is unread or not believed is not healthy; refused tokens wait."""
    index.add(healthy("fine"))
    index.add(healthy("refused-before", refused_at=NOW - HOUR))  # Its last run found nothing to store.
    if code == 2:
        member = replace(member, seen=seen(expires_at=NOW - HOUR, due_at=NOW - 2 * HOUR))
    index.add(member)

    ended = run("status")

    printed = " ".join(ended.stdout.split())
    assert (code, True) == (ended.exit_code, words in printed)
    assert (code == 2) is ("fleet retry --state overdue --fleet prod --region eu-central-1" in printed)
    assert any(words in found["text"] for found in status_of()["findings"])


def test_expired_tokens(index: TableIndex) -> None:
    """`status` counts the access tokens that expired, and names the one that expired first, also if it is paused.

    A dead grant's is none of them.
    """
    for name, ago in {"b": 2, "a": 1, "c": 1}.items():
        index.add(row(name, found=seen(expires_at=NOW - ago * HOUR, due_at=NOW - 9 * HOUR)))
    index.pause(IN_FORCE, secret_arn=arn("b"))
    index.add(row("dead", found=seen(expires_at=NOW - 3 * HOUR, state=State.REAUTHORIZE)))
    index.add(healthy("fine"))

    fields = status_of()

    assert (3, "broken") == (fields["expired"], fields["findings"][0]["health"])
    assert "expired: 3 access tokens, the first of b" == fields["findings"][0]["text"]


def test_no_dispatcher_since_the_deployment(table: CommandsTable) -> None:
    """Where no dispatcher ever ran, secrets of five minutes are broken, and a new one beside them excuses nothing."""
    never = TableIndex(cast("Any", table), "prod", "prod")
    never.add(replace(healthy("new"), added_at=datetime.now(UTC)))  # not when these tests were loaded
    young = run("status", "--fleet=prod")
    never.add(replace(healthy("old"), added_at=NOW - HOUR))
    old = run("status", "--fleet=prod")

    says = "the dispatcher has never run: nothing is refreshed"
    assert [(0, False), (2, True)] == [
        (ended.exit_code, says in " ".join(ended.stdout.split())) for ended in (young, old)
    ]


def test_what_does_not_run(index: TableIndex) -> None:
    """Where runs were handed out and none has reported since, `status` says so, in a small fleet, too.

    It says that Secrets Manager refuses, once it refused three secrets and took none: no provider does. After five
    minutes without a dispatcher nothing is refreshed, however healthy the rows look.
    """
    members = [row(f"t/{number}", next_at=NOW - HOUR, found=seen(at=NOW - HOUR)) for number in range(3)]
    for member in members:
        index.add(member)
    index.remember({message_id(member): "xero-0" for member in members}, NOW - timedelta(minutes=10))

    index.tell_breakers({}, index.read_clock(), unheard_since=NOW - timedelta(minutes=10))
    ended = run("status")
    assert (2, True) == (ended.exit_code, "the worker does not run" in ended.stdout)
    index.tell_breakers({}, index.read_clock())
    for member in members:
        index.report(
            replace(member, seen=seen(at=NOW, expires_at=NOW + 2 * HOUR, due_at=NOW + HOUR), next_at=NOW + HOUR)
        )
    assert (0, False) == ((ended := run("status")).exit_code, "the worker does not run" in ended.stdout)
    index.tell_breakers({}, NOW - HOUR)
    ended = run("status")
    assert (2, True) == (ended.exit_code, "the dispatcher has not run since" in ended.stdout)
    refuses = Breaker(reason=BreakerReason.STORE_REFUSES, allowed=2)
    index.tell_breakers({STORE: refuses}, index.read_clock())
    assert "Secrets Manager refuses, and took no secret for three minutes" in run("status").stdout


def test_pauses_are_shown(index: TableIndex) -> None:
    """Each pause says what it is of, who made it, why and until when, and how many tokens expire before it ends.

    A pause that is over is none.
    """
    index.add(healthy("fine/1"))
    index.add(replace(late("of-another-provider"), provider="hubspot"))
    index.add(replace(healthy("fine/2"), provider="hubspot", pause=replace(IN_FORCE, until=NOW - HOUR)))
    index.pause(replace(IN_FORCE, until=NOW + 3 * HOUR), provider="xero")
    index.pause(IN_FORCE, secret_arn=arn("fine/1"))

    shown = " ".join(run("status").stdout.split())

    assert "provider xero is paused until" in shown
    assert "by operator: maintenance 1 access token will expire before that, the first, of fine/1, at" in shown
    assert "secret fine/1 is paused until" in shown
    found = status_of()["pauses"]
    assert [("provider xero", 1), ("secret fine/1", 0)] == [(each["of"], each["expire_first"]) for each in found]


def test_many_pauses_are_cut() -> None:
    """Of 21 pauses `status` shows 20, and says how to list the others."""
    rows = [replace(healthy(str(number)), pause=IN_FORCE) for number in range(21)]

    shown = printed(rows, limit=0)
    assert 20 == shown.count("is paused until")
    assert "and more pauses; --state paused --json lists them" in shown


def test_a_misspelt_provider(index: TableIndex) -> None:
    """A provider that no secret has is unknown to `status`, not healthy, and `pause` says which name is meant."""
    index.add(late("a"))

    assert 3 == run("status", "--provider", "xreo").exit_code
    for_a_while = ("--for", "2h", "--why", "maintenance")
    misspelt, right = (run("pause", "--provider", name, *for_a_while).stderr for name in ("xreo", "xero"))
    assert "there is no provider profile of that name (did you mean xero?)" in misspelt
    assert "xero" not in right


def test_times_have_whole_seconds(index: TableIndex) -> None:
    """No time for machines has a fraction of a second."""
    index.add(row("a", found=seen(expires_at=NOW + HOUR + timedelta(microseconds=5))))
    index.pause(IN_FORCE, secret_arn=arn("a"))

    printed = run("status", "--json").stdout

    assert '"expires_at": "' in printed
    assert not re.search(r":\d\d\.\d", printed)
