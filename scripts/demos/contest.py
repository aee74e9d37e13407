"""The demo's short story: two disasters at a single-use provider, side by side with the handler that people write."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from demos.account import Account
from demos.report import new_table
from demos.story import RACERS, kill_when_it_stores
from testbed.aws_lambda.function import HANDLER, SCHEDULED_EVENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.aws_lambda.function import Invocation

PLAIN: Final = "benchmarks.handlers.straightforward.handler"
_JUST_DUE_HOURS: Final = 17  # An access token lives for 24 h and is due 8 h before its end.
_UNAUTHORIZED: Final = 401
_INTRODUCTION: Final = (
    ": two disasters, beside the handler that people write. All on this machine: a Secrets Manager with AWS's rules, "
    "Lambda's runtime, and a real OAuth server (django-oauth-toolkit). It takes a refresh token that comes twice for "
    "stolen, and revokes the grant.\n"
)
_CLAIM: Final = (
    "Before a run sends the refresh token, it stores a claim: a version of the secret that gives this run alone the "
    "right to. Then it sends, stores the new tokens, and lets services read them (AWSCURRENT)."
)
_NO_RESCUE: Final = (
    "The new tokens died with the process. The plain handler sends the used token again; this worker raises an alarm, "
    "and you authorize again in time. With a grace period, as Upwork has, the next run repeats: scripts/demo --all."
)
_READ_ON: Final = (
    "Next: scripts/demo --all has every step, scripts/demo --serve is for your own code; docs/protocol.md says how it "
    "works, docs/proof.md what was done to break it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What one handler left behind."""

    runs: tuple[str, ...]
    """Outcomes and errors, in the order of the runs."""
    accepted: int
    """How many refresh requests brought tokens."""
    rejected: int
    """How many came with a token that was used before."""
    api_status: int
    """What the API says to a service that reads the token."""
    secret: str
    """What the secret holds, with labels."""


def play() -> int:
    """Play it, and return the exit code: 1 if anything is otherwise than it says."""
    began = time.monotonic()
    stage = _Stage()
    stage.show(Text.assemble(("token-refresh-worker", "bold"), _INTRODUCTION))
    stage.title("1  One healthy refresh")
    stage.show(_CLAIM, 3)
    healthy = _healthy()
    stage.show(f"The run {healthy.runs[0]}, with {healthy.accepted} request. In the secret: {healthy.secret}.\n", 3)
    stage.title(f"2  {RACERS} runs start at once: schedules overlap, Lambda repeats events")
    races = [_race(handler) for handler in (PLAIN, HANDLER)]
    stage.compare(
        [
            ("runs", *map(_counted, races)),
            ("requests", *map(_requests, races)),
            ("the grant", *map(_grant, races)),
            ("a service's API call", *(f"HTTP {race.api_status}" for race in races)),
            ("in the secret", *(race.secret for race in races)),
        ]
    )
    stage.title("3  A run is killed between request and write; an hour later comes the next")
    stage.show(_NO_RESCUE, 3)
    kills = [_kill(handler) for handler in (PLAIN, HANDLER)]
    stage.compare(
        [
            ("the next run", *(f"fails with {kill.runs[-1]}" for kill in kills)),
            ("requests", *map(_requests, kills)),
            ("the grant", *map(_grant, kills)),
            ("in the secret", *(kill.secret for kill in kills)),
        ]
    )
    (plain_race, race), (plain_kill, kill) = races, kills
    stage.check((healthy.runs, healthy.accepted) == (("refreshed",), 1), "the healthy run refreshed")
    stage.check(plain_race.rejected > 0 and plain_race.api_status == _UNAUTHORIZED, "the plain handler lost the race")
    stage.check((race.accepted, race.rejected, race.api_status) == (1, 0, 200), "this worker redeemed once")
    stage.check(plain_kill.rejected > 0, "the plain handler sent a used token")
    stage.check((kill.rejected, kill.runs[-1]) == (0, "RefreshOutcomeUnknown"), "this worker sent nothing and said so")
    return stage.conclude(
        f"{2 * (RACERS + 2) + 1} runs, 2 of them killed. Used refresh tokens that were sent: the plain handler "
        f"{plain_race.rejected + plain_kill.rejected}, this worker {race.rejected + kill.rejected}. Grants revoked: "
        f"{_revoked(plain_race, plain_kill)} of 2, and {_revoked(race, kill)} of 2.",
        f"Played in {time.monotonic() - began:.0f} s. {_READ_ON}",
    )


class _Stage:
    """Where it is shown, and what was not so."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._wrong: list[str] = []

    def show(self, text: str | Text, indent: int = 0) -> None:
        self._console.print(Padding(text, (0, 0, 0, indent), expand=False))

    def title(self, text: str) -> None:
        self.show(Text(text, "bold"))

    def compare(self, rows: list[tuple[str, ...]]) -> None:
        """Show what both handlers left."""
        table = new_table("", "plain handler", "this worker")
        for row in rows:
            table.add_row(*row)
        self._console.print(Padding(table, (0, 0, 1, 3), expand=False))

    def check(self, holds: bool, what: str) -> None:  # noqa: FBT001 - what is checked reads like a sentence
        if not holds:
            self._wrong.append(what)

    def conclude(self, figures: str, read_on: str) -> int:
        """Sum up, and say what was not so."""
        if self._wrong:
            self.show(Text(f"FAILED, not so: {'; '.join(self._wrong)}", "bold red"))
            return 1
        self.show(Text(figures, "bold"))
        self.show(read_on)
        return 0


@contextlib.contextmanager
def _authorized(handler: str) -> Iterator[Account]:
    """Start an account whose tokens are due; they were stored by a person."""
    with Account(handler, single_use=True) as account:
        account.authorize()
        account.let_hours_pass(_JUST_DUE_HOURS)
        yield account


def _healthy() -> Ended:
    with _authorized(HANDLER) as account, account.function() as function:
        return _ended(account, [function.invoke(SCHEDULED_EVENT)])


def _race(handler: str) -> Ended:
    with _authorized(handler) as account, contextlib.ExitStack() as racing:
        functions = [racing.enter_context(account.function()) for _ in range(RACERS)]
        for function in functions:
            function.wait_until_ready()
        pending = [function.begin(SCHEDULED_EVENT) for function in functions]
        return _ended(account, [run.result() for run in pending])


def _kill(handler: str) -> Ended:
    with _authorized(handler) as account:
        with account.function() as function:
            # The plain handler's first write stores the tokens; the worker's first one is its claim.
            pending, _ = kill_when_it_stores(account, function, "hold_before", write=1 if handler == PLAIN else 2)
            killed = pending.result()
        account.let_hours_pass(1)
        with account.function() as function:
            return _ended(account, [killed, function.invoke(SCHEDULED_EVENT)])


def _ended(account: Account, runs: list[Invocation]) -> Ended:
    statuses = [request.error for request in account.provider.requests() if request.grant_type == "refresh_token"]
    labels = ("AWSCURRENT", "REFRESH_CLAIM")  # what services read, and the newest claim
    held = [f"{v.kind} ({label})" for label in labels for v in account.versions().values() if label in v.labels]
    return Ended(
        runs=tuple(run.error_type or str(run.payload["outcome"]) for run in runs),
        accepted=statuses.count(None),
        rejected=len(statuses) - statuses.count(None),
        api_status=account.api_status(),
        secret=", ".join(held),
    )


def _counted(ended: Ended) -> str:
    words = {"refreshed": "refreshed"} | dict.fromkeys(("yielded", "fresh", "recovered"), "sent nothing")
    counts = Counter(words.get(run, "failed") for run in ended.runs)
    return ", ".join(f"{counts[word]} {word}" for word in sorted(counts, key=counts.__getitem__))


def _requests(ended: Ended) -> str:
    return f"{ended.accepted + ended.rejected}, {ended.rejected or 'none'} with a used token"


def _grant(ended: Ended) -> str:
    return "revoked" if ended.rejected else "not revoked"


def _revoked(*endings: Ended) -> int:
    return sum(ended.rejected > 0 for ended in endings)
