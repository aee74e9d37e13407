"""The rules of the game: which worlds follow a world, and what must hold on the way there."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from proof.invariants import Invariants
from proof.operators import actions
from proof.ports import Ended, Poll, Send
from proof.progress import REJECTED, Progress
from proof.providers import CLIENT_REJECTED, NO_ANSWER, Provider, first_document, parse
from proof.store import PUBLISHED, TOKENS, Move, Put, Read, Store, StoreCall
from proof.workers import Workers
from proof.world import DUE_SECONDS, EPOCH_SECONDS, RUN_SECONDS, Interned, Scenario, Violation, Worker, World
from token_refresh.core.versions import CLAIM, OUTCOME, PENDING, published_version_id
from token_refresh.errors import SecretStoreUnavailable
from token_refresh.oauth.response import TokenResponse
from token_refresh.secret_value import SecretValue
from token_refresh.stored.document import read_document
from token_refresh.stored.published import published_document

FIRST_VERSION = "00000000-0000-4000-8000-000000000000"
UNAVAILABLE = SecretStoreUnavailable("out of reach")


class Event(NamedTuple):
    """What leads from one world to the next."""

    actor: int
    """Which worker, by its place in the world; -1 for the operator and the clock."""
    what: object
    """The call, or what happened in words."""
    how: str
    answer: object = None


class Change(NamedTuple):
    """What an event does: the world after it, or what it violates."""

    event: Event
    world: World | None
    violation: str | None = None


class Rules:
    """The successors of a world, and the checks on the way to them."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.store = Store(date_behind_seconds=0.9 if scenario.floored else 0.0)
        self.workers = Workers(scenario)
        self.providers: Interned[Provider] = Interned()
        self.positions: Interned[Worker] = Interned()
        self.invariants = Invariants(self.store)
        self.progress = Progress(scenario, self.store, self.invariants)

    def start(self) -> World:
        """Give the first world: a token set that is due, and workers that have not begun."""
        text = json.dumps(first_document("a0.0", "r0.0", EPOCH_SECONDS + DUE_SECONDS))
        documents: dict[str, tuple[str, str] | None] = {TOKENS: (FIRST_VERSION, text)}
        if self.scenario.published:
            shown = published_document(read_document(SecretValue(text)), FIRST_VERSION).reveal()
            documents[PUBLISHED] = (published_version_id(FIRST_VERSION), shown)
        workers = [self.positions.number(Worker(plan, self.workers.start(plan[0]))) for plan in self.scenario.plans]
        return World(
            store=self.store.create(documents),
            provider=self.providers.number(Provider(self.scenario.provider)),
            now=EPOCH_SECONDS,
            budget=self.scenario.budget,
            lost=0,
            unknown=False,
            faulted=False,
            workers=tuple(sorted(workers)),
        )

    def check(self, world: World) -> None:
        """Check that undisturbed runs make progress from a world, and that no grant is lost in it without cause."""
        provider = self.providers[world.provider]
        outcome = self.progress.outcome(world.store, provider, world.now)
        if outcome != REJECTED:
            return
        family, _ = parse(self.invariants.current_refresh_token(world.store))
        held = {self.positions[number].unstored for number in world.workers}
        if not world.lost >> family & 1 and family not in held and not provider.ended_by_operator(family):
            raise Violation("the grant is lost, though no answer of the provider ever was")

    def changes(self, world: World) -> Iterator[Change]:
        """Give every event that is possible in a world, with what comes of it."""
        sending = 0
        for number in world.workers:
            position = self.positions[number]
            sending += bool(position.plan) and isinstance(self.workers.call(position.node), Send)
        for place, number in enumerate(world.workers):
            worker = self.positions[number]
            if worker.plan:
                yield from self._moves(world, place, worker, sending)
        yield from self._operator(world)
        yield from self._jump(world)

    def _moves(self, world: World, place: int, worker: Worker, sending: int) -> Iterator[Change]:
        call = self.workers.call(worker.node)
        match call:
            case Read():
                _, reply = self.store.call(world.store, call, world.now)
                yield self._advance(world, place, worker, Event(place, call, "", reply))
                if world.budget.faults:
                    yield self._fail(world, place, worker, call)
            case Put() | Move():
                yield from self._write(world, place, worker, call)
            case Send():
                yield from self._send(world, place, worker, call, sending)
            case Poll():
                yield self._advance(world, place, worker, Event(place, call, "until its deadline", False))
                if self.workers.may_wake(worker.node):
                    yield self._advance(world, place, worker, Event(place, call, "and looks again", True))
            case Ended():
                raise AssertionError(call)  # A run that ended has made room for the next.

    def _write(self, world: World, place: int, worker: Worker, call: Put | Move) -> Iterator[Change]:
        state, reply = self.store.call(world.store, call, world.now, repeated=worker.sent_again)
        after = world._replace(store=state)
        event = Event(place, call, "", reply)
        try:
            self.invariants.check_write(world.store, state, call)
        except Violation as violation:
            yield Change(event, None, str(violation))
            return
        stored = worker
        if isinstance(call, Put) and call.label == PENDING and reply:
            stored = worker._replace(unstored=-1)
        budget = world.budget
        yield self._advance(after, place, stored, event)
        if state != world.store and budget.crashes:
            yield self._crash(after, place, stored, event)
        if budget.losses and reply and not worker.sent_again:
            again = after._replace(budget=budget._replace(losses=budget.losses - 1))
            lost = event._replace(how="and the reply is lost: it will call again")
            yield Change(lost, self._with(again, place, stored._replace(sent_again=True)))
        if budget.faults:
            yield self._fail(world, place, worker, call)
            if state != world.store:
                yield self._fail(after, place, stored, call)

    def _send(self, world: World, place: int, worker: Worker, call: Send, sending: int) -> Iterator[Change]:
        provider = self.providers[world.provider]
        after, answer, _ = provider.redeem(call.refresh_token, world.now)
        event = Event(place, call, "", answer)
        try:
            self.invariants.check_send(sending, paused=self.scenario.paused)
            self.invariants.check_reuse(world, provider, call, worker.plan[0])
        except Violation as violation:
            yield Change(event, None, str(violation))
            return
        family, _ = parse(call.refresh_token)
        received = isinstance(answer, TokenResponse)
        done = world._replace(provider=self.providers.number(after))
        missed = done._replace(lost=done.lost | 1 << family, unknown=True) if received else done
        superseded = not received and self.invariants.current_refresh_token(world.store) != call.refresh_token
        holder = worker._replace(unstored=family if received else -1, superseded=worker.superseded or superseded)
        budget = world.budget
        yield self._advance(done, place, holder, event)
        if budget.crashes:
            yield self._crash(missed, place, worker, event)
        if budget.losses:
            spent = budget._replace(losses=budget.losses - 1)
            for then, how in ((missed, "its answer is lost"), (world, "it is lost on the way")):
                without = then._replace(budget=spent, unknown=True)
                yield self._advance(without, place, worker, Event(place, call, how, NO_ANSWER))
        if budget.faults:
            refused = world._replace(budget=budget._replace(faults=budget.faults - 1))
            yield self._advance(refused, place, worker, Event(place, call, "", CLIENT_REJECTED))

    def _fail(self, world: World, place: int, worker: Worker, call: StoreCall) -> Change:
        budget = world.budget._replace(faults=world.budget.faults - 1)
        # A claim of which its run does not know, or one that it can't release, looks like that of a run that died.
        unknown = world.unknown or (isinstance(call, Put) and call.label in {CLAIM, OUTCOME})
        failed = world._replace(budget=budget, faulted=True, unknown=unknown)
        return self._advance(failed, place, worker, Event(place, call, "and the store stays out of reach", UNAVAILABLE))

    def _crash(self, world: World, place: int, worker: Worker, event: Event) -> Change:
        budget = world.budget._replace(crashes=world.budget.crashes - 1)
        died = self._died(world._replace(budget=budget), worker)
        return Change(event._replace(how=f"{event.how} and dies"), self._with(died, place, self._next(worker)))

    def _died(self, world: World, worker: Worker) -> World:
        lost = world.lost | 1 << worker.unstored if worker.unstored >= 0 else world.lost
        return world._replace(unknown=True, lost=lost)

    def _next(self, worker: Worker) -> Worker:
        plan = worker.plan[1:]
        return Worker(plan, self.workers.start(plan[0] if plan else "s"))

    def _advance(self, world: World, place: int, worker: Worker, event: Event) -> Change:
        node = self.workers.reply(worker.node, event.answer, world.now)
        ended = self.workers.call(node)
        if not isinstance(ended, Ended):
            return Change(event, self._with(world, place, worker._replace(node=node, sent_again=False)))
        try:
            self.invariants.check_end(world, worker, self.providers[world.provider], ended)
        except Violation as violation:
            return Change(event, None, str(violation))
        event = event._replace(how=f"{event.how}; its run ends: {ended.outcome}")
        return Change(event, self._with(world, place, self._next(worker)))

    def _with(self, world: World, place: int, worker: Worker) -> World:
        workers = world.workers
        number = self.positions.number(worker)
        return world._replace(workers=(*workers[:place], number, *workers[place + 1 :]))

    def _operator(self, world: World) -> Iterator[Change]:
        left = world.budget.operator
        if not left:
            return
        found = actions(
            self.scenario.operator,
            store=self.store,
            state=world.store,
            provider=self.providers[world.provider],
            serial=self.scenario.budget.operator - left,
            now=world.now,
        )
        for action in found:
            state, _ = self.store.call(world.store, action.call, world.now)
            after = world._replace(
                store=state,
                provider=self.providers.number(action.provider),
                budget=world.budget._replace(operator=left - 1),
            )
            yield Change(Event(-1, action.call, action.name), after)

    def _jump(self, world: World) -> Iterator[Change]:
        left = world.budget.jumps
        if not left:
            return
        seconds = self.scenario.jumps[-left]
        after = world._replace(now=world.now + seconds, budget=world.budget._replace(jumps=left - 1))
        for place, number in enumerate(world.workers):
            worker = self.positions[number]
            if not worker.plan or not self.workers.started(worker.node):
                continue
            after = after._replace(unknown=True)
            if seconds > RUN_SECONDS and not self.scenario.paused:
                after = self._with(self._died(after, worker), place, self._next(worker))
        yield Change(Event(-1, None, f"{seconds} s pass; runs under way are ended by their time limit"), after)


def canonical(world: World) -> World:
    """Give the same for worlds that differ in the order of their workers alone."""
    workers = world.workers
    return world if list(workers) == sorted(workers) else world._replace(workers=tuple(sorted(workers)))
