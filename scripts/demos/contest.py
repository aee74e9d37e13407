"""The demo's short story: what can go wrong, with the handler that people write, a careful one and the worker."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from demos.account import Account
from demos.report import new_table
from demos.story import kill_when_it_stores
from testbed.aws.errors import ServiceError
from testbed.aws_lambda.function import HANDLER, SCHEDULED_EVENT, Function, Invoked
from token_refresh_worker.providers.provider import Provider, Rotation

_JUST_DUE_HOURS: Final = 17  # An access token lives for 24 h and is due 8 h before its end.
_A_DAY_LATER_HOURS: Final = 25
_INTRODUCTION: Final = (
    ": what goes wrong with three ways to refresh, on real parts, without an AWS account: a Secrets Manager with AWS's "
    "rules, Lambda's runtime, an OAuth server (django-oauth-toolkit). A refresh token {tokens}.\n"
)
_LEGEND: Final = (
    "kept: runs go on. waits: runs fail, with an alarm, until it is safe; a later one went on. LOST: somebody must "
    "authorize again. Where a used token was sent, the provider revoked the grant at once; else the access token "
    "works on."
)
_READ_ON: Final = (
    "Try --provider with yours, such as upwork. --all plays every step of this worker, --serve is for your own code. "
    "docs/protocol.md says how it works, docs/proof.md how we tried to break it."
)


class Ending(StrEnum):
    """What became of the grant, an hour and a run later."""

    KEPT = "kept"
    """The stored refresh token is the newest: runs go on by themselves."""
    WAITS = "waits"
    """It is, but runs fail for now; a day later one goes on."""
    LOST = "LOST"
    """Somebody must authorize again: the newest tokens died with a response, or the provider has revoked the grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A handler, and how it is deployed."""

    name: str
    handler: str
    about: str
    write: int = 1
    """The number of the write that stores new tokens."""
    one_at_a_time: bool = False
    """Whether Lambda lets one run wait for another: reserved concurrency 1."""


CONTESTANTS: Final = (
    Contestant(
        name="plain handler",
        handler="benchmarks.handlers.straightforward.handler",
        about="what people write first: read, post, store (38 lines)",
    ),
    Contestant(
        name="careful handler",
        handler="benchmarks.handlers.careful.handler",
        about="a due check, one run at a time (reserved concurrency 1), only what never left is sent again, stores "
        "before it returns: scripts/benchmarks/handlers/careful.py (57 lines)",
        one_at_a_time=True,
    ),
    Contestant(
        name="this worker",
        handler=HANDLER,
        about="stores a claim first, a version of the secret that gives this run alone the right to send the token",
        write=2,
    ),
)


class Stage:
    """One contestant on the account: a function, and a second process that runs the same code."""

    def __init__(self, contestant: Contestant, account: Account, open_until: contextlib.ExitStack) -> None:
        self.account = account
        self.contestant = contestant
        self._open = open_until
        self.function = self._start()
        self.beside = self._start()

    def run(self) -> Invoked:
        """Run as the schedule does."""
        return self.function.invoke(SCHEDULED_EVENT)

    def run_while_another_stores(self, beside: Function, event: object) -> None:
        """Begin a run, hold the write of its new tokens, and run `event` in the meantime, or behind it."""
        held = self.account.store.fault("hold_before", "PutSecretValue", nth=self.contestant.write)
        first = self.function.begin(SCHEDULED_EVENT)
        while not held.reached.wait(0.05) and not first.done():
            pass
        seen = len(self.account.store.calls)
        second = beside.begin(event)
        while beside is not self.function and not second.done() and not self._saw_claim(seen):
            time.sleep(0.02)
        held.release()
        self.account.store.faults.clear()
        first.result()
        second.result()

    def _saw_claim(self, seen: int) -> bool:
        """Whether somebody has read which run has the claim, since so many calls; a forced run waits for that one."""
        return any("REFRESH_CLAIM" in logged.call.version_stages for logged in self.account.store.calls[seen:])

    def kill(self) -> None:
        """Begin a run, and kill its process when it has the response."""
        kill_when_it_stores(self.account, self.function, "hold_before", write=self.contestant.write)
        self.function = self._start()

    def fill_secret(self) -> None:
        """Store the same document again until AWS allows no further version."""
        with contextlib.suppress(ServiceError):
            while True:
                self.account.store_document(self.account.current_document())

    def _start(self) -> Function:
        return self._open.enter_context(self.account.function(self.contestant.handler))


def _down(stage: Stage) -> None:
    stage.account.provider.fail_next("before")
    stage.run()


def _overlap(stage: Stage) -> None:
    waits = stage.contestant.one_at_a_time
    stage.run_while_another_stores(stage.function if waits else stage.beside, SCHEDULED_EVENT)


def _forced(stage: Stage) -> None:
    stage.run_while_another_stores(stage.beside, {"force": True})


def _second_deployment(stage: Stage) -> None:
    stage.run_while_another_stores(stage.beside, SCHEDULED_EVENT)


def _edit(stage: Stage) -> None:
    opened = stage.account.current_document()
    stage.run()
    stage.account.store_document(opened | {"team": "sales"})


def _gateway(stage: Stage) -> None:
    stage.account.provider.fail_next("after")
    stage.run()


def _full(stage: Stage) -> None:
    stage.fill_secret()
    stage.run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that goes wrong, and how it ends for each contestant where a refresh token works once."""

    title: str
    play: Callable[[Stage], object]
    expected: tuple[Ending, Ending, Ending]


KEPT, WAITS, LOST = Ending
_COLOURS: Final = {KEPT: "green", WAITS: "yellow", LOST: "bold red"}
EVENTS: Final = (
    Event(title="the provider is down during a run", play=_down, expected=(KEPT, KEPT, WAITS)),
    Event(title="two scheduled runs overlap", play=_overlap, expected=(LOST, KEPT, KEPT)),
    Event(title="a forced run from a terminal beside a run", play=_forced, expected=(LOST, LOST, KEPT)),
    Event(title="a second deployment on the same secret", play=_second_deployment, expected=(LOST, LOST, KEPT)),
    Event(title="an operator's edit puts the used token back", play=_edit, expected=(LOST, LOST, KEPT)),
    Event(title="killed between response and write", play=Stage.kill, expected=(LOST, LOST, LOST)),
    Event(title="a gateway's 503 after the provider redeemed", play=_gateway, expected=(LOST, LOST, LOST)),
    Event(title="the secret is full: 100 versions in a day", play=_full, expected=(LOST, LOST, WAITS)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What one event left behind."""

    ending: Ending
    rejected: int = 0
    """How many refresh requests the provider rejected: each had a used token."""


def play(provider: Provider | None = None) -> int:
    """Play it, and return the exit code: 1 if anything is otherwise than it says.

    Args:
        provider: Whose refresh tokens the contest is played with; None: they work once.
    """
    began = time.monotonic()
    console = Console(highlight=False)
    console.print(Text.assemble(("token-refresh-worker", "bold"), _INTRODUCTION.format(tokens=_tokens(provider))))
    told = Table.grid(padding=(0, 2))
    for contestant in CONTESTANTS:
        told.add_row(contestant.name, contestant.about)
    console.print(told)
    table = new_table("", *(contestant.name.removesuffix(" handler") for contestant in CONTESTANTS))
    rows = _rows(provider)
    for event, row in rows:
        table.add_row(event.title, *(Text(ended.ending, _COLOURS[ended.ending]) for ended in row))
    console.print(Padding(table, (1, 0)))
    console.print(_LEGEND)
    wrong = unexpected(rows, single_use=provider is None)
    if wrong:
        console.print(Text(f"FAILED, not so: {'; '.join(wrong)}", "bold red"))
        return 1
    console.print(Text(figures(rows), "bold"))
    console.print(f"{advice(rows)} {_READ_ON}\nPlayed in {time.monotonic() - began:.0f} s.")
    return 0


def unexpected(rows: Sequence[tuple[Event, Sequence[Ended]]], *, single_use: bool) -> list[str]:
    """Name where the worker sent a used token, and where tokens work once each ending that is not the expected one."""
    wrong = []
    for event, row in rows:
        if row[-1].rejected:
            wrong.append(f"{event.title}: this worker sends no used token")
        elif single_use and tuple(ended.ending for ended in row) != event.expected:
            wrong.append(f"{event.title}: {', '.join(event.expected)}")
    return wrong


def figures(rows: Sequence[tuple[Event, Sequence[Ended]]]) -> str:
    """Say who lost how many grants, and how many used tokens were sent."""
    counts = [
        f"{contestant.name} {sum(row[number].ending is LOST for _, row in rows)}"
        f" ({sum(row[number].rejected for _, row in rows)})"
        for number, contestant in enumerate(CONTESTANTS)
    ]
    return f"Grants lost in {len(rows)} events (used refresh tokens rejected): {', '.join(counts)}."


def advice(rows: Sequence[tuple[Event, Sequence[Ended]]]) -> str:
    """Say what follows for somebody who would write a small handler."""
    careful = [event.title for event, row in rows if row[1].ending is LOST]
    worker = [event.title for event, row in rows if row[2].ending is LOST]
    if not careful:
        return "Here a careful handler is enough, with an alarm on its errors."
    if len(careful) == 1:
        return f"Here a careful handler with an alarm on its errors is enough, unless this happens: {careful[0]}."
    return (
        f"Somebody must authorize again after {len(careful)} events with a careful handler, "
        f"after {len(worker)} with this worker."
    )


def _tokens(provider: Provider | None) -> str:
    if provider is None:
        return "works once; sent twice, it counts as stolen, and the provider revokes the grant"
    if provider.rotation is Rotation.NEVER:
        return f"never changes, as at {provider.title}"
    if not provider.grace.duration:
        return f"works once, as at {provider.title}"
    hours = provider.grace.duration / timedelta(hours=1)
    return f"works again for {hours:g} h once it was used, as at {provider.title}"


def _rows(provider: Provider | None) -> list[tuple[Event, list[Ended]]]:
    rotates = provider is None or provider.rotation is not Rotation.NEVER
    grace = provider.grace.duration if provider and rotates else timedelta(0 if rotates else 30)
    with contextlib.ExitStack() as opened:
        account = opened.enter_context(Account(grace_seconds=round(grace.total_seconds()), rotates=rotates))
        stages = [Stage(contestant, account, opened) for contestant in CONTESTANTS]
        return [(event, [_ended(event, stage) for stage in stages]) for event in EVENTS]


def _ended(event: Event, stage: Stage) -> Ended:
    """Play an event with tokens that are due, and the run an hour later; what waits has its say a day later."""
    account = stage.account
    account.begin_anew()
    account.let_hours_pass(_JUST_DUE_HOURS)
    before = account.rejected_requests()
    event.play(stage)
    account.let_hours_pass(1)
    failed = stage.run().error_type is not None
    ending = LOST
    if account.grant_lives():
        ending = KEPT
        if failed:
            account.let_hours_pass(_A_DAY_LATER_HOURS)
            ending = LOST if stage.run().error_type else WAITS
    return Ended(ending=ending, rejected=account.rejected_requests() - before)
