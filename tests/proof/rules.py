"""The rules of the game: which worlds follow a world, and what must hold on the way there."""

from collections.abc import Iterator
from typing import NamedTuple

from proof import starts
from proof.invariants import Invariants
from proof.operators import Scene, actions
from proof.ports import Authorize, Ended, Poll, RefusedToTheEnd, Revoke, Send, build_run, named_claim, settle
from proof.progress import REJECTED, WAITED, Progress, Undisturbed
from proof.providers import (
    BUSY,
    CLIENT_REJECTED,
    GATEWAY,
    NO_RESPONSE,
    HttpResponse,
    Provider,
    family_of,
    first_response,
    misnamed,
    parse,
)
from proof.providers import REJECTED as INVALID_GRANT
from proof.store import (
    TOKENS,
    Append,
    Drop,
    Item,
    Keep,
    List,
    ListIds,
    Move,
    Open,
    Put,
    Read,
    ReadTable,
    Record,
    Remove,
    Store,
    in_one_spelling,
)
from proof.workers import REFUSED, Workers
from proof.world import (
    BY_HAND,
    EPOCH_SECONDS,
    LATE_SECONDS,
    MOVES,
    RUN_SECONDS,
    Interned,
    Scenario,
    Violation,
    Worker,
    World,
)
from token_refresh.errors import SecretStoreUnavailable
from token_refresh_worker.core.versions import CLAIM, OUTCOME
from token_refresh_worker.oauth import response as response_module
from token_refresh_worker.oauth.response import FailedRequest, TokenResponse
from token_refresh_worker.oauth.unread import RESPONSE_KEY

UNAVAILABLE = SecretStoreUnavailable("out of reach")
TO_THE_END = RefusedToTheEnd("every write is refused until the deadline")
Reading = Read | List | ListIds | ReadTable | Open
Write = Put | Move | Append | Record | Keep | Drop


class Event(NamedTuple):
    """What leads from one world to the next."""

    actor: int
    """Which worker, by its place in the world; -1 for the operator and the clock."""
    what: object
    """The call, or what happened in words."""
    how: str
    response: object = None


class Change(NamedTuple):
    """What an event does: the world after it, or what it violates."""

    event: Event
    world: World | None
    violation: str | None = None


class Rules:
    """The successors of a world, and the checks on the way to them."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.store = Store(behind_seconds=scenario.behind_seconds, quota=scenario.quota)
        self.workers = Workers(scenario)
        self.providers: Interned[Provider] = Interned()
        self.positions: Interned[Worker] = Interned()
        self.pending: Interned[tuple[Write, int]] = Interned()
        self.invariants = Invariants(scenario, self.store)
        self.progress = Progress(scenario, self.store, self.invariants)
        self._items: dict[Item, None] = {}

    def start(self) -> World:
        """Return the first world: a token set that is due, and workers that have not begun."""
        state = starts.create(self.scenario, self.store)
        scenario, now = self.scenario, EPOCH_SECONDS
        ends_at = EPOCH_SECONDS + scenario.due_seconds if scenario.returns_same else None
        provider = Provider(scenario.provider, lifetime_seconds=scenario.lifetime_seconds, ends_at=ends_at)
        for plan, outcome in _history(scenario):
            if outcome == "ReauthorizationRequired":
                provider = provider.revoke(self.invariants.current_refresh_token(state))
            ports = Undisturbed(self.store, self.invariants, state, provider, now, plan)
            ended = settle(build_run(self.scenario, ports, plan))
            if ended.outcome != outcome:
                raise Violation(f"before the search, a run ends with {ended.outcome}")
            state, provider = ports.state, ports.provider
            if plan == "s" and outcome != "refreshed":
                continue
            now = self.invariants.expires_at(state) - self.scenario.window_seconds
            self._note_item(state)
        now = max(now, self.invariants.expires_at(state) - self.scenario.due_seconds)
        workers = [self.positions.number(Worker(plan, self.workers.start(plan[0]))) for plan in self.scenario.plans]
        return World(
            store=state,
            provider=self.providers.number(provider),
            now=now,
            budget=self.scenario.budget,
            lost=0,
            unknown=False,
            faulted=False,
            workers=tuple(sorted(workers)),
        )

    def check(self, world: World) -> None:
        """Check that undisturbed runs make progress from a world, and that no grant is lost in it without cause."""
        if self.invariants.is_revoked(world.store) or self.invariants.waits_for_recovery(world.store):
            return
        provider = self.providers[world.provider]
        outcome = self.progress.outcome(world.store, provider, world.now)
        # The daily limit, here of three claims, may hold a repeat for longer than the grace.
        if outcome == WAITED and not world.gone and self.scenario.claims_a_day is None:
            raise Violation("left alone: runs wait until the provider accepts the refresh token no longer")
        if outcome not in {REJECTED, WAITED}:
            return
        family, _ = parse(self.invariants.current_refresh_token(world.store))
        held = {self.positions[number].unstored for number in world.workers}
        if world.pending >= 0:
            held.add(family)
        excused = world.gone or world.lost >> family & 1 or family in held or provider.ended_by_operator(family)
        if not excused:
            raise Violation("the grant is lost, though no response of the provider ever was")

    def changes(self, world: World) -> Iterator[Change]:
        """Return every event that is possible in a world, with what comes of it."""
        positions = [self.positions[number] for number in world.workers]
        calls = [self.workers.call(position.node) for position in positions if position.plan]
        sending = [family_of(call.refresh_token) for call in calls if isinstance(call, Send)]
        for place, number in enumerate(world.workers):
            worker = self.positions[number]
            if worker.plan:
                yield from self._moves(world, place, worker, sending)
        yield from self._operator(world)
        yield from self._jump(world)
        yield from self._landing(world)
        yield from self._outage(world)

    def _moves(self, world: World, place: int, worker: Worker, sending: list[str]) -> Iterator[Change]:
        call = self.workers.call(worker.node)
        match call:
            case Read() | List() | ListIds() | ReadTable() | Open():
                yield from self._read(world, place, worker, call)
            case Put() | Move() | Append() | Record() | Keep() | Drop():
                yield from self._write(world, place, worker, call)
            case Send():
                yield from self._send(world, place, worker, call, sending)
            case Authorize() | Revoke():
                yield from self._ask(world, place, worker, call, sending)
            case Poll():
                yield self._advance(world, place, worker, Event(place, call, "until its deadline", False))
                if self.workers.may_wake(worker.node):
                    yield self._advance(world, place, worker, Event(place, call, "and looks again", True))
            case Ended():
                raise AssertionError(call)  # A run that ended has made room for the next.

    def _read(self, world: World, place: int, worker: Worker, call: Reading) -> Iterator[Change]:
        _, reply = self.store.call(world.store, call, world.now)
        yield self._advance(world, place, worker, Event(place, call, "", reply))
        if isinstance(call, Read | ListIds) and world.budget.stale:
            seen = [reply]
            left = world.budget._replace(stale=world.budget.stale - 1)
            staler = self._with_budget(world, left)
            for state in world.past:
                _, old = self.store.call(state, call, world.now)
                if old not in seen:
                    seen.append(old)
                    yield self._advance(staler, place, worker, Event(place, call, "(a stale read)", old))
        if world.budget.faults:
            yield self._fail(world, place, worker, call)

    def _write(self, world: World, place: int, worker: Worker, call: Write) -> Iterator[Change]:
        if world.refusing and isinstance(call, Put | Move):
            yield self._refuse(world, place, worker, call)
            return
        state, reply = self.store.call(world.store, call, world.now, repeated=worker.sent_again)
        after = self._stored(world, state)
        event = Event(place, call, "", reply)
        try:
            self.invariants.check_write(world.store, state, call, reply, self.providers[world.provider], worker.plan[0])
        except Violation as violation:
            yield Change(event, None, str(violation))
            return
        claims = isinstance(call, Append | Put) and call.is_claim and worker.plan[0] not in MOVES
        if claims and self.workers.claims(worker.node):
            yield Change(event, None, "a run claimed twice")
            return
        stored = self._holding(worker, call, reply, state)
        budget = world.budget
        yield self._advance(after, place, stored, event)
        if state != world.store and budget.crashes:
            yield self._crash(after, place, stored, event)
        if state != world.store and budget.late and world.pending < 0:
            yield self._leave(world, place, stored, call)
        if budget.losses and reply is True and not worker.sent_again:
            again = self._with_budget(after, budget._replace(losses=budget.losses - 1))
            lost = event._replace(how="and the response is lost: it will call again")
            yield Change(lost, self._with(again, place, stored._replace(sent_again=True)))
        if budget.faults:
            yield self._fail(world, place, worker, call)
            if state != world.store:
                yield self._fail(after, place, stored, call)

    def _holding(self, worker: Worker, call: Write, reply: object, state: int) -> Worker:
        """Return the worker after a write: does it still hold tokens that are stored nowhere?"""
        holds = isinstance(call, Put) and ('"refreshToken"' in in_one_spelling(call.text) or RESPONSE_KEY in call.text)
        if holds and reply is True:
            return worker._replace(unstored=-1)
        if not isinstance(call, Keep):
            return worker
        # A run that was thawed after its claim ended may keep nothing, nor may one whose claim or key is lost.
        table = self.store.table(state)
        excused = self.scenario.frozen or table.losses > 0 or table.key_gone
        return worker._replace(unstored=-1) if reply is True else worker._replace(unkept=excused)

    def _send(self, world: World, place: int, worker: Worker, call: Send, sending: list[str]) -> Iterator[Change]:
        provider = self.providers[world.provider]
        after, response, _ = provider.redeem(call.refresh_token, world.now)
        event = Event(place, call, "", response)
        try:
            self.invariants.check_send(sending, call)
            self.invariants.check_place(world)
            self.invariants.check_reuse(world, provider, call, worker.plan[0])
            self.invariants.check_kept(world.store)
        except Violation as violation:
            yield Change(event, None, str(violation))
            return
        family, _ = parse(call.refresh_token)
        received = isinstance(response, TokenResponse)
        resent = world.resent or (received and worker.plan[0] == "n" and not self._holds_named(world))
        done = world._replace(provider=self.providers.number(after), resent=resent)
        missed = done._replace(lost=done.lost | 1 << family, unknown=True) if received else done
        superseded = not received and self.invariants.current_refresh_token(world.store) != call.refresh_token
        holder = worker._replace(unstored=family if received else -1, superseded=worker.superseded or superseded)
        budget = world.budget
        yield self._advance(done, place, holder, event)
        if budget.crashes:
            yield self._crash(missed, place, worker, event)
        if budget.losses:
            used = budget._replace(losses=budget.losses - 1)
            for then, how in ((missed, "its response is lost"), (world, "it is lost on the way")):
                without = self._with_budget(then, used)._replace(unknown=True)
                yield self._advance(without, place, worker, Event(place, call, how, NO_RESPONSE))
        if budget.gateway:
            used = budget._replace(gateway=budget.gateway - 1)
            yield from self._gateway(self._with_budget(world, used), self._with_budget(missed, used), place, worker)
        if budget.unread and isinstance(response, TokenResponse):
            odd = self._with_budget(done, budget._replace(unread=budget.unread - 1))._replace(unknown=True)
            named = Event(place, call, "and the refresh token has another name", misnamed(response))
            yield self._advance(odd, place, holder, named)
        if budget.false_rejections and received:
            wrong = self._with_budget(world, budget._replace(false_rejections=budget.false_rejections - 1))
            yield self._advance(wrong, place, worker, Event(place, call, "(a false one)", INVALID_GRANT))
        if budget.faults:
            refused = self._with_budget(world, budget._replace(faults=budget.faults - 1))
            yield self._advance(refused, place, worker, Event(place, call, "", CLIENT_REJECTED))

    def _ask(
        self, world: World, place: int, worker: Worker, call: Authorize | Revoke, sending: list[str]
    ) -> Iterator[Change]:
        """Let the provider give a new grant, or end one; its response may be lost."""
        provider = self.providers[world.provider]
        if isinstance(call, Revoke):
            done = world._replace(provider=self.providers.number(provider.revoke(call.refresh_token)))
            event, holder, missed = Event(place, call, "", True), worker, done
            if sending:  # The provider may give tokens after it.
                yield Change(event, None, "a grant was revoked while a redemption is in flight")
                return
        else:
            after, refresh_token = provider.authorize()
            family, _ = parse(refresh_token)
            done = world._replace(provider=self.providers.number(after))
            event, holder = Event(place, call, "", first_response(refresh_token)), worker._replace(unstored=family)
            missed = done._replace(lost=done.lost | 1 << family)
        yield self._advance(done, place, holder, event)
        if world.budget.crashes:
            yield self._crash(missed, place, worker, event)

    def _holds_named(self, world: World) -> bool:
        """Whether the newest claim is the one that is named: a run that names it made the first attempt itself."""
        item = self.store.table(world.store).item
        newest = item.claim_id if item else self.store.labels(world.store, TOKENS).get(CLAIM)
        return newest == named_claim(self.scenario)

    def _gateway(self, world: World, missed: World, place: int, worker: Worker) -> Iterator[Change]:
        """Let the provider be busy, or its gateway respond in its place, before and after a redemption."""
        call = self.workers.call(worker.node)
        for response in _as_read(BUSY):
            yield self._advance(world, place, worker, Event(place, call, f"and is busy: {response.seen}", response))
        for response in _as_read(GATEWAY):
            for then, when in ((missed, "after"), (world, "before")):
                how = f"and its gateway says {response.seen} {when} the redemption"
                yield self._advance(then._replace(unknown=True), place, worker, Event(place, call, how, response))

    def _fail(self, world: World, place: int, worker: Worker, call: Reading | Write) -> Change:
        budget = world.budget._replace(faults=world.budget.faults - 1)
        # A claim that its run does not know of, or can't end, looks like that of a run that died.
        unknown = (
            world.unknown
            or isinstance(call, Append | Record)
            or (isinstance(call, Put) and call.label in {CLAIM, OUTCOME})
        )
        failed = self._with_budget(world, budget)._replace(faulted=True, unknown=unknown)
        if isinstance(call, Keep):
            worker = worker._replace(unkept=True)
        return self._advance(failed, place, worker, Event(place, call, "and the store stays out of reach", UNAVAILABLE))

    def _refuse(self, world: World, place: int, worker: Worker, call: Put | Move) -> Change:
        """Refuse a write. A run that repeats it finds that out once, and then until its deadline."""
        refusal = TO_THE_END if self.workers.refused(worker.node) else REFUSED
        return self._advance(world._replace(faulted=True), place, worker, Event(place, call, "is refused", refusal))

    def _crash(self, world: World, place: int, worker: Worker, event: Event) -> Change:
        budget = world.budget._replace(crashes=world.budget.crashes - 1)
        died = self._died(self._with_budget(world, budget), worker)
        return Change(event._replace(how=f"{event.how} and dies"), self._with(died, place, self._next(worker)))

    def _leave(self, world: World, place: int, worker: Worker, call: Write) -> Change:
        """Let a run die while its write is on its way."""
        pending = self.pending.number((call, world.now + LATE_SECONDS))
        left = self._with_budget(world, world.budget._replace(late=world.budget.late - 1))
        died = self._died(left._replace(pending=pending), worker)
        return Change(
            Event(place, call, "is on its way, and its run dies"), self._with(died, place, self._next(worker))
        )

    def _landing(self, world: World) -> Iterator[Change]:
        if world.pending < 0:
            return
        call, _ = self.pending[world.pending]
        state, reply = self.store.call(world.store, call, world.now)
        yield Change(Event(-1, call, "lands late", reply), self._stored(world, state)._replace(pending=-1))

    def _died(self, world: World, worker: Worker) -> World:
        lost = world.lost | 1 << worker.unstored if worker.unstored >= 0 else world.lost
        return world._replace(unknown=True, lost=lost)

    def _next(self, worker: Worker) -> Worker:
        plan = worker.plan[1:]
        return Worker(plan, self.workers.start(plan[0] if plan else "s"))

    def _advance(self, world: World, place: int, worker: Worker, event: Event) -> Change:
        node = self.workers.reply(worker.node, event.response, world.now)
        ended = self.workers.call(node)
        if not isinstance(ended, Ended):
            return Change(event, self._with(world, place, worker._replace(node=node, sent_again=False)))
        try:
            self.invariants.check_end(world, worker, self.providers[world.provider], ended)
        except Violation as violation:
            return Change(event, None, str(violation))
        event = event._replace(how=f"{event.how}; its run ends: {ended.outcome}")
        after = self._died(world, worker) if worker.unstored >= 0 else world
        # Nobody deploys with another claim store before the claims are moved there.
        failed = ended.outcome == "ChangeFailed" and worker.plan[0] in MOVES
        then = worker._replace(plan="") if failed else worker
        return Change(event, self._with(after, place, self._next(then)))

    def _with(self, world: World, place: int, worker: Worker) -> World:
        workers = world.workers
        number = self.positions.number(worker)
        return world._replace(workers=(*workers[:place], number, *workers[place + 1 :]))

    def _with_budget(self, world: World, budget: object) -> World:
        """Return the world with another budget; what only a stale read could see is forgotten with the last one."""
        after = world._replace(budget=budget)  # type: ignore[arg-type]  # always a Budget
        return after if after.budget.stale or not after.past else after._replace(past=())

    def _stored(self, world: World, state: int) -> World:
        """Return the world with another stored state, and remember the one before for stale reads."""
        if state == world.store:
            return world
        self._note_item(state)
        past = world.past
        if world.budget.stale:
            past = (world.store, *past)[: self.scenario.stale_depth]
        return world._replace(store=state, past=past)

    def _note_item(self, state: int) -> None:
        item = self.store.table(state).item
        if item is not None:
            self._items.setdefault(item)

    def _operator(self, world: World) -> Iterator[Change]:
        left = world.budget.operator
        if not left:
            return
        scene = Scene(
            scenario=self.scenario,
            store=self.store,
            state=world.store,
            provider=self.providers[world.provider],
            serial=self.scenario.budget.operator - left,
            now=world.now,
            items=tuple(self._items),
        )
        family, _ = parse(self.invariants.current_refresh_token(world.store))
        under_way = any(self.workers.started(self.positions[number].node) for number in world.workers)
        for action in actions(scene):
            if action.between_runs and under_way:
                continue
            state, _ = self.store.call(world.store, action.call, world.now)
            if state == world.store:
                continue
            after = self._with_budget(world, world.budget._replace(operator=left - 1))
            after = self._stored(after, state)._replace(provider=self.providers.number(action.provider))
            if action.spoils:
                after = after._replace(faulted=True, unknown=True)
            if action.loses:
                lost = world.lost | 1 << family if action.spoils or action.forgets else world.lost
                gone = world.gone or isinstance(action.call, Remove)
                after = after._replace(unknown=True, lost=lost, gone=gone)
            if action.between_runs:
                after = after._replace(past=())
            if action.lasts:
                after = self._later(after, RUN_SECONDS + 1)
            yield Change(Event(-1, action.call, action.name), after)

    def _jump(self, world: World) -> Iterator[Change]:
        left = world.budget.jumps
        under_way = (self.workers.started(self.positions[number].node) for number in world.workers)
        if not left or (self.scenario.between_runs and any(under_way)):
            return
        seconds = self.scenario.jumps[-left]
        if world.pending >= 0 and world.now + seconds > self.pending[world.pending][1]:
            return  # It lands before that.
        after = self._with_budget(world, world.budget._replace(jumps=left - 1))
        how = "runs under way are frozen" if self.scenario.frozen else "runs under way are ended by their time limit"
        yield Change(Event(-1, None, f"{seconds} s pass; {how}"), self._later(after, seconds))

    def _outage(self, world: World) -> Iterator[Change]:
        left = world.budget.outages
        if world.refusing:
            yield Change(Event(-1, None, "Secrets Manager takes writes again"), world._replace(refusing=False))
        elif left:
            refusing = self._with_budget(world, world.budget._replace(outages=left - 1))._replace(refusing=True)
            yield Change(Event(-1, None, "from now on Secrets Manager refuses every write"), refusing)

    def _later(self, world: World, seconds: int) -> World:
        """Return the world after some time, in which runs under way meet their time limit or are frozen."""
        after = world._replace(
            now=world.now + seconds, past=() if seconds > self.scenario.stale_seconds else world.past
        )
        for place, number in enumerate(world.workers):
            worker = self.positions[number]
            if not worker.plan or not self.workers.started(worker.node):
                continue
            after = after._replace(unknown=True)
            if seconds <= RUN_SECONDS:
                continue
            if not self.scenario.frozen:
                after = self._with(self._died(after, worker), place, self._next(worker))
            elif worker.unstored >= 0:
                after = after._replace(lost=after.lost | 1 << worker.unstored)
            elif isinstance(self.workers.call(worker.node), Send):
                node = self.workers.delayed(worker.node, after.now)
                after = self._with(after, place, worker._replace(node=node))
        return after


def _history(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Say which runs came before the search, and how each ended."""
    for _ in range(scenario.before):
        yield "s", "refreshed"
    if scenario.second:
        yield "s", "ReauthorizationRequired"
        yield ("a" if scenario.second == "by command" else BY_HAND), "done"
    for _ in range(scenario.before_second):
        yield "s", "refreshed"


def _as_read(responses: tuple[HttpResponse, ...]) -> list[FailedRequest]:
    """Read responses as the worker does; one of each kind, since a run looks at nothing else."""
    read = [response_module.read_response(r.status, r.body.encode(), r.retry_after) for r in responses]
    return list({(r.kind, r.retry_after): r for r in read if isinstance(r, FailedRequest)}.values())


def canonical(world: World) -> World:
    """Return the same for worlds that differ in the order of their workers alone."""
    workers = world.workers
    return world if list(workers) == sorted(workers) else world._replace(workers=tuple(sorted(workers)))
