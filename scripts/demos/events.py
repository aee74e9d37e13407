"""What goes wrong in the contest: its events, who meets them, and what became of the grant."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from demos.account import Account
from demos.scenario import kill_when_it_stores
from testbed.aws_lambda.function import HANDLER, SCHEDULED_EVENT, Function, Invoked
from testbed.secrets_manager.limits import VERSIONS_PER_SECRET
from testbed.secrets_manager.staleness import Staleness

_JUST_DUE_HOURS: Final = 17  # An access token lives for 24 h and is due 8 h before its end.
_LATER_HOURS: Final = 8  # The access token has expired, and the versions of a day ago make room.
_REFRESHES: Final = 52  # More than AWS keeps the claims of, and than this worker remembers.


class Ending(StrEnum):
    """What became of the grant."""

    KEPT = "kept"
    """The run an hour later finds the newest tokens, or gets new ones."""
    WAITS = "waits"
    """That run fails; one eight hours later goes on by itself."""
    COMMAND = "command"
    """That one fails, too: the newest tokens are in the secret, and one command brings them back."""
    LOST = "LOST"
    """Somebody must authorize again: the newest tokens died with a response, or the provider has revoked the grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A handler, and how it is deployed."""

    name: str
    column: str
    handler: str
    about: str
    write: int = 2
    """The number of the write that stores new tokens."""
    one_at_a_time: bool = False
    """Whether Lambda lets one run wait for another: reserved concurrency 1."""
    has_commands: bool = False
    """Whether `token-refresh` is for it; for the others there is what AWS's own command line can do."""


CONTESTANTS: Final = (
    Contestant(
        name="careful handler",
        column="careful",
        handler="benchmarks.handlers.careful.handler",
        about="one run at a time (reserved concurrency 1), stores before it returns: "
        "scripts/benchmarks/handlers/careful.py (54 lines)",
        write=1,
        one_at_a_time=True,
    ),
    Contestant(
        name="handler with a claim",
        column="claim",
        handler="examples.claiming_handler.handler",
        about="stores a claim before it sends the token, and only one run can: "
        "examples/claiming_handler.py (150 lines)",
    ),
    Contestant(
        name="this worker",
        column="worker",
        handler=HANDLER,
        about="the same idea, with commands, alarms, readers and profiles of providers",
        has_commands=True,
    ),
)


class Stage:
    """One contestant on its account: a function, and where one is needed a second process that runs the same code."""

    def __init__(self, contestant: Contestant, account: Account, open_until: contextlib.ExitStack) -> None:
        self.account = account
        self.contestant = contestant
        self._open = open_until
        self.function = self._start()

    @cached_property
    def beside(self) -> Function:
        """The second process."""
        return self._start()

    def run(self) -> Invoked:
        """Run as the schedule does."""
        return self.function.invoke(SCHEDULED_EVENT)

    def run_while_another_stores(self, beside: Function, event: object, *, write: int | None = None) -> None:
        """Begin a run, hold a write (its new tokens, unless you say which), and run `event` meanwhile, or behind it."""
        held = self.account.store.fault("hold_before", "PutSecretValue", nth=write or self.contestant.write)
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

    def fill_secret(self, *, room: int) -> None:
        """Store the same document again, hour by hour until the tokens are due, up to so many versions more."""
        document, stored = self.account.current_document(), 1
        for hour in range(1, _JUST_DUE_HOURS + 1):
            self.account.let_hours_pass(1)
            while stored < hour * (VERSIONS_PER_SECRET - room) // _JUST_DUE_HOURS:
                self.account.store_document(document)
                stored += 1

    def repair(self, command: tuple[str, ...]) -> None:
        """Do what a person does without a new consent: run our command, move AWSCURRENT to live tokens, copy them."""
        if self.contestant.has_commands and command:
            program = "import token_refresh_admin.cli; token_refresh_admin.cli.main()"
            environment = os.environ | self.account.environment
            subprocess.run([sys.executable, "-c", program, *command], env=environment, capture_output=True, check=False)  # noqa: S603 - our own
        elif (live := self.account.live_version()) is not None:
            self.account.make_current(live)
        else:
            self.account.take_unread_tokens()

    def _start(self) -> Function:
        return self._open.enter_context(self.account.function(self.contestant.handler))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that goes wrong, and how it ends for each contestant where a refresh token works once."""

    title: str
    play: Callable[[Stage], object]
    expected: tuple[Ending, Ending, Ending]
    begins_after_hours: int = _JUST_DUE_HOURS
    command: tuple[str, ...] = ()
    """What `token-refresh` runs with afterwards, where runs fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What one event left behind."""

    ending: Ending
    rejected: int = 0
    """How many refresh requests the provider rejected until an hour later: each had a used token."""


def ended(event: Event, stage: Stage) -> Ended:
    """Play an event, and the runs after it."""
    account = stage.account
    account.begin_anew()
    account.let_hours_pass(event.begins_after_hours)
    before = account.rejected_requests()
    event.play(stage)
    goes_on = _goes_on(stage, hours=1)
    rejected = account.rejected_requests() - before
    return Ended(ending=Ending.KEPT if goes_on else _later(event, stage), rejected=rejected)


def _later(event: Event, stage: Stage) -> Ending:
    if _goes_on(stage, hours=_LATER_HOURS):
        return Ending.WAITS
    stage.repair(event.command)
    return Ending.COMMAND if _goes_on(stage, hours=1) else Ending.LOST


def _goes_on(stage: Stage, *, hours: int) -> bool:
    """Let hours pass, and tell whether a run succeeds then and the stored refresh token is alive."""
    stage.account.let_hours_pass(hours)
    return stage.run().error_type is None and stage.account.grant_lives()


def _down(stage: Stage) -> None:
    stage.account.provider.fail_next("before")
    stage.run()


def _overlap(stage: Stage) -> None:
    waits = stage.contestant.one_at_a_time
    stage.run_while_another_stores(stage.function if waits else stage.beside, SCHEDULED_EVENT)


def _forced(stage: Stage) -> None:
    stage.run_while_another_stores(stage.beside, {"force": True})


def _second_deployment(stage: Stage) -> None:
    """Hold the first run's first write: of two that claim, both have read that nobody has."""
    stage.run_while_another_stores(stage.beside, SCHEDULED_EVENT, write=1)


def _edit(stage: Stage) -> None:
    opened = stage.account.current_document()
    stage.run()
    stage.account.store_document(opened | {"team": "sales"})


def _old_copy(stage: Stage) -> None:
    first = stage.account.current_document()
    for _ in range(_REFRESHES):
        stage.run()
        stage.account.let_hours_pass(_JUST_DUE_HOURS)
    stage.account.store_document(first)


def _late_read(stage: Stage) -> None:
    stage.run()
    stage.account.store.staleness = Staleness(writes=1, seconds=300, likelihood=1)
    stage.run()
    stage.account.store.staleness = None


def _gateway(stage: Stage) -> None:
    stage.account.provider.fail_next("after")
    stage.run()


def _new_form(stage: Stage) -> None:
    stage.account.provider.fail_next("wrap")
    stage.run()


def _throttled(stage: Stage) -> None:
    stage.account.store.fault("throttle", "PutSecretValue", nth=stage.contestant.write, times=6)
    stage.run()
    stage.account.store.faults.clear()


def _full(stage: Stage) -> None:
    stage.fill_secret(room=0)
    stage.run()


def _room_for_one(stage: Stage) -> None:
    stage.fill_secret(room=1)
    stage.run()


KEPT, WAITS, COMMAND, LOST = Ending
EVENTS: Final = (
    Event(title="the provider is down during a run", play=_down, expected=(KEPT, WAITS, WAITS)),
    Event(title="two scheduled runs overlap", play=_overlap, expected=(KEPT, KEPT, KEPT)),
    Event(title="a forced run from a terminal beside a run", play=_forced, expected=(LOST, KEPT, KEPT)),
    Event(title="a second deployment on the same secret", play=_second_deployment, expected=(LOST, KEPT, KEPT)),
    Event(title="an operator's edit puts a used token back", play=_edit, expected=(LOST, KEPT, KEPT)),
    Event(
        title="the first token set is put back after weeks",
        play=_old_copy,
        expected=(LOST, COMMAND, COMMAND),
        command=("restore", "--yes"),
    ),
    Event(title="a read that is one write late", play=_late_read, expected=(LOST, KEPT, KEPT)),
    Event(title="killed between response and write", play=Stage.kill, expected=(LOST, LOST, LOST)),
    Event(title="a gateway's 503 after the provider redeemed", play=_gateway, expected=(LOST, LOST, LOST)),
    Event(
        title="the new tokens come in another form",
        play=_new_form,
        expected=(LOST, COMMAND, COMMAND),
        command=("recover", "--access-token", "/data/access_token", "--refresh-token", "/data/refresh_token", "--yes"),
    ),
    Event(title="the write of new tokens is throttled 6 times", play=_throttled, expected=(LOST, KEPT, KEPT)),
    Event(
        title="the secret is full: 100 versions in a day",
        play=_full,
        expected=(LOST, WAITS, WAITS),
        begins_after_hours=0,
    ),
    Event(
        title="the secret has room for one more version",
        play=_room_for_one,
        expected=(KEPT, WAITS, WAITS),
        begins_after_hours=0,
    ),
)
