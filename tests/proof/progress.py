"""From any world, runs that nothing disturbs any more reach a refresh, or a rejected grant that really is dead."""

from typing import Final

from proof.invariants import Invariants
from proof.ports import Call, Ended, Poll, Ports, Send, build_run, settle
from proof.providers import Provider
from proof.store import Read, Store
from proof.world import WINDOW_SECONDS, Scenario, Violation

RUNS_LIMIT: Final = 24
"""Undisturbed runs until a refresh; a world that needs more never comes to rest."""

REFRESHED: Final = "refreshed"
REJECTED: Final = "rejected"

_LEAST_GRACE_SECONDS: Final = 3600
"""A token that the provider takes for a shorter while may run out before its turn comes."""


class Progress:
    """Remembers how each state goes on when nothing disturbs it."""

    def __init__(self, scenario: Scenario, store: Store, invariants: Invariants) -> None:
        self._scenario = scenario
        self._store = store
        self._invariants = invariants
        self._known: dict[tuple[int, Provider, int], str] = {}

    def __len__(self) -> int:
        return len(self._known)

    def outcome(self, state: int, provider: Provider, now: int) -> str:
        """Say how it goes on: `REFRESHED` or `REJECTED`.

        Raises:
            Violation: It does not come to rest, or a grant is given up that is alive.
        """
        key = (state, provider, now)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._continue(state, provider, now)
        return known

    def _continue(self, state: int, provider: Provider, now: int) -> str:
        alive = self._invariants.reachable(state, provider, now + _LEAST_GRACE_SECONDS)
        outcomes = []
        for _ in range(RUNS_LIMIT):
            ports = _Undisturbed(self._store, self._invariants, state, provider, now)
            ended = settle(build_run(self._scenario, ports, force=False))
            outcomes.append(ended.outcome)
            if ports.replayed and now < self._invariants.expires_at(state) - WINDOW_SECONDS // 4:
                raise Violation("left alone: a spent refresh token is sent again before the last quarter of the window")
            state, provider = ports.state, ports.provider
            if not ended.named:
                raise Violation(f"left alone: a run ends with {ended.outcome}")
            if self._scenario.published and ended.outcome in {"fresh", "refreshed", "recovered"}:
                self._invariants.check_published(state)
            if ended.outcome == REFRESHED:
                return REFRESHED
            if ended.outcome == "ReauthorizationRequired":
                if alive:
                    raise Violation(f"left alone: a grant that is alive is given up (runs end: {', '.join(outcomes)})")
                return REJECTED
            now = self._next(state, now, ended)
        raise Violation(f"left alone: runs never come to rest ({', '.join(outcomes[:6])}, ...)")

    def _next(self, state: int, now: int, ended: Ended) -> int:
        """Say when the next run that matters begins."""
        expires_at = self._invariants.expires_at(state)
        if ended.retry_at is not None:
            return max(ended.retry_at, now + 1)
        if ended.outcome in {"fresh", "recovered"}:
            return max(expires_at - WINDOW_SECONDS, now + 1)
        if ended.outcome == "RefreshOutcomeUnknown":
            return max(expires_at - WINDOW_SECONDS // 4, now + 3600)
        return now + 3600


class _Undisturbed(Ports):
    """Carries every call out at once."""

    def __init__(self, store: Store, invariants: Invariants, state: int, provider: Provider, now: int) -> None:
        super().__init__(now)
        self._store = store
        self._invariants = invariants
        self.state = state
        self.provider = provider
        self.replayed = False
        """Whether a single-use refresh token was sent again."""

    def ask(self, call: Call) -> object:
        """Carry a call out."""
        match call:
            case Send(refresh_token):
                self.provider, answer, reused = self.provider.redeem(refresh_token, self.now)
                self.replayed = self.replayed or reused
                return answer
            case Poll():
                return False
            case _:
                before = self.state
                self.state, reply = self._store.call(before, call, self.now)
                if not isinstance(call, Read):
                    self._invariants.check_write(before, self.state, call)
                return reply
