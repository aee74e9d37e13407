"""One random history: scheduled runs of the real worker on one secret, with a clock of its own.

Unlike in the search, time passes between any two calls: each call takes a while, a read may be stale, a write may land
minutes after its caller gave up, and the services stamp what they store and say by clocks that differ. A run is a
thread that waits for the reply to each of its calls, so only one thing ever happens at a time.
"""

import heapq
import itertools
import json
import random
from collections.abc import Callable
from functools import partial
from typing import Final

from proof import starts
from proof.actor import Actor, Killed, Sleep, words
from proof.bounds import Bounds
from proof.ports import Call, Send, searching
from proof.providers import NO_RESPONSE, Provider
from proof.store import TOKENS, Append, Move, Put, Read, ReadTable, Record, Store, refresh_token_of
from proof.world import EPOCH_SECONDS
from token_refresh.errors import SecretStoreUnavailable
from token_refresh_worker.adapters.calls import PATIENCE_SECONDS
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.oauth.response import TokenResponse

CYCLES: Final = 2
"""For how many lives of a token a history lasts."""
_UNAVAILABLE: Final = SecretStoreUnavailable("out of reach")
_Write = Put | Move | Append | Record


class History:
    """One secret and one grant at a single-use provider; `run` says how it ended."""

    def __init__(self, bounds: Bounds, seed: int) -> None:
        self.bounds = bounds
        self.scenario = bounds.scenario
        self.dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.now: float = EPOCH_SECONDS
        self.lines: list[str] = []
        self.violation: str | None = None
        self.lost = False
        """Whether the one window was hit: a run died with tokens that nothing stored."""
        self.expired_seconds = 0.0
        """For how long consumers had no valid token, while the grant was alive."""
        self.alarms = 0
        """How often a run asked for a new authorization, though the grant was alive."""
        self.refreshed = 0
        self._provider = Provider("single-use", lifetime_seconds=bounds.lifetime_seconds)
        self._store = Store()
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._unstored: dict[str, Actor] = {}
        """Who holds each refresh token that was issued and never stored, nor is on its way."""
        self._actors: list[Actor] = []
        self._window_seconds = bounds.window_seconds
        self._state = starts.create(self.scenario, self._store)
        self._past = [(0.0, self._state)]
        self._until = self.now + CYCLES * bounds.lifetime_seconds

    def run(self) -> "History":
        """Live through it."""
        with searching(self.scenario):
            self._next_turn()
            while self._events and self.violation is None and not self.lost:
                self.now, _, event = heapq.heappop(self._events)
                event()
            for actor in self._actors:
                if not actor.over:
                    actor.go_on(Killed())
                actor.end()
        return self

    @property
    def revoked(self) -> bool:
        """Whether a grant died without a crash between the request and the write."""
        return self.violation is not None

    def _at(self, moment: float, event: Callable[[], object]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), event))

    def _say(self, actor: Actor | None, text: str) -> None:
        who = f"run {self._actors.index(actor) + 1}" if actor else "-"
        left = self._expires_at() - self.now
        self.lines.append(f"{self.now - EPOCH_SECONDS:9.1f} s ({left:8.1f} s before expiry)  {who}: {text}")

    def _expires_at(self, state: int | None = None) -> float:
        where = self._state if state is None else state
        text = self._store.texts(where)[self._store.labels(where, TOKENS)[CURRENT]]
        return float(json.loads(text)["expiresAt"]) / 1000

    def _next_turn(self) -> None:
        """Begin the runs of one token's life: with its window, or later, as after an outage."""
        dice, window, expires_at = self.dice, self._window_seconds, self._expires_at()
        if expires_at > self._until:
            return
        first = dice.choice((window, window / 2, window / 4, 600.0, 300.0)) * dice.uniform(0.7, 1.0)
        began = max(self.now, expires_at - first)
        for moment in self._moments(began, expires_at):
            self._at(moment, self._begin)
        self._at(max(self.now, expires_at) + 2 * self._window_seconds, self._next_turn)

    def _moments(self, began: float, expires_at: float) -> list[float]:
        """Return when runs begin: a few close to each other, then by schedule until after expiry."""
        dice, moments = self.dice, [began]
        for _ in range(dice.choice((2, 3, 4, 5))):
            moments.append(moments[-1] + dice.uniform(0, dice.choice((20, 300, 600, 600))))
        gap = self._window_seconds / 4
        while moments[-1] < expires_at + self._window_seconds:
            moments.append(moments[-1] + dice.uniform(gap / 2, gap))
        return moments

    def _begin(self) -> None:
        if self._expires_at() - self.now > 1.5 * self._window_seconds:
            return  # It would find fresh tokens.
        dice, bounds = self.dice, self.bounds
        actor = Actor(
            self,
            behind=dice.choice((None, None, None, 0.0)),
            offset=dice.choice((0.0, bounds.clocks_seconds, dice.uniform(0, bounds.clocks_seconds))),
            late_from=dice.randint(3, 7) if bounds.late_seconds and dice.random() < 0.4 else 1_000,
            dies_at=dice.randint(1, 12) if dice.random() < 0.15 else 1_000,
        )
        self._actors.append(actor)
        self._at(self.now + bounds.run_seconds, lambda: self._time_out(actor))
        actor.now = self._service_now(actor)  # type: ignore[assignment]  # a moment between two seconds
        actor.begin()
        self._step(actor)

    def _time_out(self, actor: Actor) -> None:
        if not actor.over:
            self._kill(actor, "is ended by its time limit")

    def _kill(self, actor: Actor, how: str) -> None:
        self._say(actor, how)
        actor.go_on(Killed())
        self._done(actor)

    def _done(self, actor: Actor) -> None:
        assert actor.ended is not None
        self._say(actor, f"ends: {actor.ended.outcome}")
        self.refreshed += actor.ended.outcome == "refreshed"
        self.lost = self.lost or actor in self._unstored.values()
        if actor.ended.outcome == "ReauthorizationRequired" and not self.lost:
            self.alarms += 1
        if not actor.ended.named:
            self.violation = actor.ended.outcome

    def _step(self, actor: Actor) -> None:
        """Carry out the call that a run makes now, and let it go on when the reply is there."""
        if actor.over:
            self._done(actor)
            return
        actor.calls += 1
        call, dice = actor.call, self.dice
        if isinstance(call, Sleep):
            self._at(self.now + call.seconds, lambda: self._go_on(actor, True))
            return
        assert call is not None
        dies = actor.calls >= actor.dies_at
        if isinstance(call, _Write) and actor.calls >= actor.late_from:
            landing = self.now + dice.choice((1.0, dice.random())) * self.bounds.late_seconds
            self._note_stored(call)
            self._say(actor, f"{words(call)} gets no response, and lands {landing - self.now:.0f} s late")
            self._at(landing, partial(self._land, call))
            gives_up = self.now + PATIENCE_SECONDS * dice.uniform(0.6, 1.6)
            self._at(gives_up, lambda: self._go_on(actor, _UNAVAILABLE))
            return
        took = dice.choice((0.02, 0.2, dice.uniform(0, 3.0)))
        self._at(self.now + took, lambda: self._carry_out(actor, call, dies=dies))

    def _carry_out(self, actor: Actor, call: Call, *, dies: bool) -> None:
        if actor.over:
            return
        reply = self._reply(actor, call)
        if self.violation is not None:
            return
        if dies:
            self._say(actor, words(call))
            self._kill(actor, "dies")
            return
        self._at(self.now + self.dice.choice((0.02, self.dice.uniform(0, 1.0))), lambda: self._go_on(actor, reply))

    def _go_on(self, actor: Actor, reply: object) -> None:
        if actor.over:
            return
        actor.now = self._service_now(actor)  # type: ignore[assignment]  # likewise
        actor.go_on(reply)
        self._step(actor)

    def _reply(self, actor: Actor, call: Call) -> object:
        stamp = self._service_now(actor)
        match call:
            case Send():
                return self._redeem(actor, call)
            case Read():
                _, reply = self._store.call(self._seen(actor), call, stamp)  # type: ignore[arg-type]  # between two seconds
                self._say(actor, f"{words(call)}: {getattr(reply, 'version_id', reply)}")
                return reply
            case ReadTable():
                return self._store.call(self._state, call, stamp)[1]  # type: ignore[arg-type]  # likewise
            case Put() | Move() | Append() | Record():
                landed = self._land(call, stamp)
                self._say(actor, f"{words(call)}: {landed}")
                return landed
            case _:
                return False

    def _redeem(self, actor: Actor, call: Send) -> object:
        self._provider, response, reused = self._provider.redeem(call.refresh_token, int(self.now))
        self._say(
            actor, f"redeems {call.refresh_token}: {'tokens' if isinstance(response, TokenResponse) else 'REUSED'}"
        )
        if reused:
            self.violation = f"{call.refresh_token} was sent again, though what it brought is stored, or soon will be"
        elif isinstance(response, TokenResponse) and response.refresh_token is not None:
            self._unstored[response.refresh_token.reveal()] = actor
            if self.dice.random() < 0.02:
                self._say(actor, "the response is lost")
                self.lost = True
                return NO_RESPONSE
        return response

    def _land(self, call: _Write, stamp: float | None = None) -> object:
        moment = self._service_now() if stamp is None else stamp
        state, reply = self._store.call(self._state, call, moment)  # type: ignore[arg-type]  # likewise
        self._note_stored(call)
        if state != self._state:
            if stamp is None:
                self._say(None, f"lands: {words(call)}")
            expired = self.now - self._expires_at()
            if self._expires_at(state) > self._expires_at() and expired > 0:
                self.expired_seconds += expired
            self._state = state
            self._past.append((self.now, state))
        return reply

    def _note_stored(self, call: object) -> None:
        token = refresh_token_of(call.text) if isinstance(call, Put) else None
        if token:
            self._unstored.pop(token, None)

    def _seen(self, actor: Actor) -> int:
        """Return the state that a read sees."""
        dice, behind = self.dice, actor.behind
        if behind is None:
            behind = self.bounds.stale_seconds * dice.choice((0.0, 0.0, 1.0, 1.0, dice.random()))
        # Not one of before the history: it began long ago.
        return next(state for moment, state in reversed(self._past) if moment <= max(self.now - behind, 0))

    def _service_now(self, actor: Actor | None = None) -> float:
        """Return the time by a clock of AWS: a run may see one clock alone, or another with each call."""
        apart = self.bounds.clocks_seconds
        if actor is not None and self.dice.random() < 0.5:
            return self.now + actor.offset
        return self.now + self.dice.choice((0.0, apart, self.dice.uniform(0, apart)))
