"""From any world, runs that nothing disturbs any more reach a refresh, or a rejected grant that really is dead."""

from typing import Final

from proof.invariants import Invariants
from proof.ports import Authorize, Call, CommandRun, Ended, Poll, Ports, Revoke, Send, build_run, settle
from proof.providers import Provider, first_response
from proof.store import TOKENS, List, ListIds, Open, Read, ReadTable, Store, origin_of
from proof.world import BY_HAND, DAY_SECONDS, HOUR_SECONDS, Scenario, Violation, name_of
from token_refresh.errors import TokenRefreshError, without_traceback
from token_refresh_worker.core.versions import CURRENT

RUNS_LIMIT: Final = 30
"""Undisturbed runs until a refresh; a world that needs more never gets one."""

REFRESHED: Final = "refreshed"
REJECTED: Final = "rejected"
WAITED: Final = "waited"
"""Runs waited until the provider no longer accepted a token that it would have given new tokens for."""
STOPPED: Final = "stopped"
"""Nothing is sent until a person acts: tokens can't be decrypted or read, or the secret has too many labels."""

LEAST_GRACE_SECONDS: Final = 2 * HOUR_SECONDS
"""A token that the provider accepts for a shorter while may run out before its turn comes."""

Key = tuple[int, Provider, int, bool]


class Progress:
    """Remembers how each state goes on when nothing disturbs it."""

    def __init__(self, scenario: Scenario, store: Store, invariants: Invariants) -> None:
        self._scenario = scenario
        self._store = store
        self._invariants = invariants
        self._known: dict[Key, str] = {}
        self._alive: dict[tuple[int, Provider, int], bool] = {}

    def __len__(self) -> int:
        return len(self._known)

    def outcome(self, state: int, provider: Provider, now: int) -> str:
        """Say how it goes on: `REFRESHED`, `REJECTED`, `WAITED` or `STOPPED`.

        Raises:
            Violation: No run refreshes the tokens, or a grant is given up that is alive.
        """
        asked = state, provider, now
        alive = self._alive.get(asked)
        if alive is None:
            alive = self._alive[asked] = self._invariants.reachable(state, provider, now + LEAST_GRACE_SECONDS)
        passed: list[Key] = []
        outcomes: list[str] = []
        while True:
            key = (state, provider, now, alive)
            known = self._known.get(key)
            if known is None and len(outcomes) == RUNS_LIMIT:
                raise Violation(f"left alone: runs never refresh the tokens ({', '.join(outcomes[:6])}, ...)")
            if known is None:
                ports = self._run(state, provider, now)
                passed.append(key)
                outcomes.append(ports.ended.outcome)
                known = self._settled(ports, now, outcomes, alive=alive)
            if known is not None:
                self._known |= dict.fromkeys(passed, known)
                return known
            state, provider = ports.state, ports.provider
            if ports.ended.restores is not None:
                # A person does what the error says: nothing else brings these tokens back.
                state = self._restored(state, provider, now, ports.ended.restores)
                alive = self._invariants.reachable(state, provider, now + LEAST_GRACE_SECONDS)
            now = self._next(state, now, ports.ended, rejections=outcomes.count("ReauthorizationRequired"))

    def _run(self, state: int, provider: Provider, now: int) -> "Undisturbed":
        ports = Undisturbed(self._store, self._invariants, state, provider, now)
        ports.ended = settle(build_run(self._scenario, ports, self._kind(state)))
        if ports.replayed and now < self._invariants.last_quarter_at(state):
            raise Violation("left alone: a used refresh token is sent again before the last quarter of the window")
        dead = now >= self._invariants.expires_at(ports.state) and self._scenario.first_expiry == "true"
        if ports.ended.outcome == "RefreshOutcomeUnknown" and dead:
            raise Violation("left alone: a hold outlasts the access token that it protects")
        if not ports.ended.named:
            raise Violation(f"left alone: a run ends with {ports.ended.outcome}")
        held_back = ports.ended.outcome in {"yielded", "RefreshOutcomeUnknown"}
        if held_back and self._invariants.is_new_consent(state):
            raise Violation("left alone: what became of an earlier set holds back the tokens of a new consent")
        if self._scenario.published and ports.ended.outcome in {"fresh", "refreshed", "recovered"}:
            self._invariants.check_published(ports.state, now)
        return ports

    def _restored(self, state: int, provider: Provider, now: int, version_id: str) -> int:
        ports = Undisturbed(self._store, self._invariants, state, provider, now, "x")
        command = CommandRun(self._scenario, ports, "x", version_id=version_id, settings=self._kind(state))
        ended = settle(command)
        if ended.outcome != "done":
            raise Violation(f"left alone: the printed `restore` ends with {ended.outcome}")
        return ports.state

    def _kind(self, state: int) -> str:
        """Say who goes on: the runs of the deployment that the document names, or somebody who completes a move."""
        scenario, store = self._scenario, self._store
        if not scenario.moves:
            return "s"
        first, second = (name_of(scenario.claims_of(kind)) for kind in "sS")
        origin = origin_of(store.texts(state)[store.labels(state, TOKENS)[CURRENT]])
        named = second if second.as_fields().items() <= origin.items() else first
        moved_to, number = store.moved_to(state, named.table)
        if moved_to in ({}, named.as_fields()):
            return "s" if named == first else "S"
        other = second if named == first else first
        if not origin and number < store.moved_to(state, other.table)[1]:
            return "s" if other == first else "S"
        return "b" if other == first else "m"

    def _settled(self, ports: "Undisturbed", now: int, outcomes: list[str], *, alive: bool) -> str | None:
        """Say whether that was the last run."""
        if ports.ended.outcome == REFRESHED:
            return REFRESHED
        # What KMS refuses to decrypt, nobody can judge: no promise of what is printed holds there.
        judged = not self._store.locked(ports.state)
        needs_key = ports.ended.restores is not None and not judged
        if needs_key or (ports.ended.outcome, ports.ended.retry_at) in {("ResponseKept", None), ("SecretFull", None)}:
            return STOPPED  # A person lets the key be used again, recovers the tokens, or takes labels off.
        if ports.ended.outcome in {"KeptTokensUnreadable", "SecretAccessDenied"}:
            self._check_stopped(ports, now)
            return STOPPED
        if ports.ended.outcome != "ReauthorizationRequired":
            return None
        if judged and self._invariants.living_beside(ports.state, ports.provider, now):
            raise Violation("left alone: a consent is asked for although a set that may be alive is stored")
        if alive and outcomes.count("ReauthorizationRequired") > 3:
            raise Violation(f"left alone: a grant that is alive is given up (runs end: {', '.join(outcomes)})")
        if alive and self._invariants.reachable(ports.state, ports.provider, now):
            return None
        return WAITED if alive and ports.provider.kind != "single-use" else REJECTED

    def _check_stopped(self, ports: "Undisturbed", now: int) -> None:
        """A run waits for a key only where nothing else can go on."""
        item, locked = self._store.table(ports.state).item, self._store.locked(ports.state)
        unreadable = ports.ended.outcome == "KeptTokensUnreadable"
        if unreadable and (item is None or self._invariants.replaced(item, ports.state)):
            raise Violation("left alone: runs stop for tokens that nobody needs")
        if not unreadable and not locked:
            raise Violation("left alone: runs stop for a key although every version can be decrypted")
        # Staged under the old key, and promoted after the change: then nobody can read the current version itself.
        current = self._store.labels(ports.state, TOKENS)[CURRENT]
        token = self._invariants.current_refresh_token(ports.state)
        if current not in locked and ports.provider.alive(token, now + LEAST_GRACE_SECONDS):
            raise Violation("left alone: runs wait for a key although the provider still accepts the token")

    def _next(self, state: int, now: int, ended: Ended, *, rejections: int) -> int:
        """Say when the next run that matters begins."""
        due = self._invariants.due_at(state)
        rejected = ended.outcome == "ReauthorizationRequired"
        if ended.retry_at is not None:
            return max(ended.retry_at, now + 1)
        if ended.outcome == "moved":
            return now + 1
        if ended.outcome in {"fresh", "recovered", "superseded"} or (rejected and now < due):
            return max(due, now + 1)
        if ended.outcome == "RefreshOutcomeUnknown":
            return max(self._invariants.last_quarter_at(state), now + HOUR_SECONDS)
        if rejected and rejections > 1:
            return now + DAY_SECONDS
        return now + HOUR_SECONDS


class Undisturbed(Ports):
    """Carries every call out at once."""

    def __init__(  # noqa: PLR0917 - all that a run finds, and which it is
        self, store: Store, invariants: Invariants, state: int, provider: Provider, now: int, kind: str = "s"
    ) -> None:
        super().__init__(now)
        self._kind = kind
        self._store = store
        self._invariants = invariants
        self.state = state
        self.provider = provider
        self.ended = Ended("", named=True)
        self.replayed = False
        """Whether a single-use refresh token was sent again."""

    def ask(self, call: Call) -> object:
        """Carry a call out."""
        match call:
            case Send(refresh_token):
                self._invariants.check_send([], call)
                self._invariants.check_kept(self.state)
                self.provider, response, reused = self.provider.redeem(refresh_token, self.now)
                self.replayed = self.replayed or reused
                return response
            case Poll():
                return False
            case Authorize():
                self.provider, refresh_token = self.provider.authorize()
                return first_response(refresh_token)
            case Revoke():
                raise AssertionError(call)  # Runs alone go on.
            case _:
                before = self.state
                self.state, reply = self._store.call(before, call, self.now)
                if not isinstance(call, Read | List | ListIds | ReadTable | Open) and self._kind != BY_HAND:
                    self._invariants.check_write(before, self.state, call, reply, self.provider, self._kind)
                if isinstance(reply, TokenRefreshError):
                    raise without_traceback(reply)
                return reply
