"""One run: read, plan, act, until nothing is left to do.

    read ──> plan ──> Fresh ──────────────────────────> fresh, refreshed, recovered or superseded
      ^        ├────> Wait ───────────────────────────> yielded (a forced run reads again)
      │        ├────> every other rest ───────────────> an error
      └── act <┴────> an action

A crash needs no code: the next run takes the step that the crashed one would have taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final, assert_never

from token_refresh.advice import in_words
from token_refresh.errors import SecretFull, SecretStoreUnavailable, TokenRefreshError
from token_refresh_worker.core import steps
from token_refresh_worker.core.pauses import apply_pause, pause_of
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import FORCED_CLAIMS_A_DAY, SETTLED, Policy, lifetime_too_short, window_of
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.run.actions import Actions
from token_refresh_worker.run.failures import mismatch, slow_schedule
from token_refresh_worker.run.grant_failures import dead_grant, no_such_attempt, unknown_outcome, unread_response
from token_refresh_worker.run.locked_versions import tokens_locked
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.outcome import CopyState, CurrentTokens, Outcome, OutcomeName
from token_refresh_worker.run.ports import RunDependencies
from token_refresh_worker.run.redemption import Redemption
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.origin import ClaimStoreKind, StoreName

STEPS: Final = 50
"""More than any history of the secret needs; a forced run that polls is bounded by its deadline."""
POLL_SECONDS: Final = (1.0, 2.0, 4.0, 8.0)
"""How long a forced run waits between looks at another run's claim; the last one repeats."""


def next_step(snapshot: Snapshot, state: RunState, policy: Policy) -> steps.Step:
    """Return the step that the rules allow, unless an operator paused the refreshes."""
    return apply_pause(plan(snapshot, state, policy), snapshot)


@dataclass(kw_only=True, eq=False, repr=False)
class Run:
    """One run on one token secret. After it ended, either way, `memory` says how far it came."""

    parts: RunDependencies
    limit: timedelta
    decide: Callable[[Snapshot, RunState, Policy], steps.Step] = next_step
    """Its rules."""
    redemption: Callable[[RunDependencies, Memory], Redemption] | None = None
    """What it does under a claim, in place of a refresh."""

    @cached_property
    def memory(self) -> Memory:
        """What the run remembers."""
        return Memory(
            clock=self.parts.deadline.clock,
            limit=self.limit,
            resend=self.parts.trigger.resend,
            # The limit is against a flood of events; a person at the command line is none.
            forced_claims_a_day=None if self.parts.trigger.name == "cli" else FORCED_CLAIMS_A_DAY,
            publishes=self.parts.published is not None and not self.parts.trigger.dry_run,
            nonce=self.parts.nonce(),
        )

    @cached_property
    def reader(self) -> SnapshotReader:
        """What reads the secret, its claims and its published copy."""
        return SnapshotReader(parts=self.parts, memory=self.memory)

    @cached_property
    def _actions(self) -> Actions:
        parts, memory = self.parts, self.memory
        redemption = self.redemption(parts, memory) if self.redemption else Redemption(parts=parts, memory=memory)
        return Actions(parts=parts, memory=memory, reader=self.reader, redemption=redemption)

    def execute(self) -> Outcome:
        """Run until nothing is left to do. A failure is raised; what is stored stays, and the next run tries again."""
        outcome = self.conclude()
        # Raised last: the refresh must not fail because the copy for consumers did.
        if outcome.copy_error is not None:
            raise outcome.copy_error
        return outcome

    def conclude(self) -> Outcome:
        """Do what `execute` does, and report a copy that failed apart from the refresh: `Outcome.copy_error`."""
        outcome = self._steps()
        self._warn_of_schedule()
        return outcome

    def outcome(
        self,
        name: OutcomeName | None = None,
        *,
        error: TokenRefreshError | None = None,
        wait: steps.Wait | None = None,
        paused: str | None = None,
    ) -> Outcome:
        """Say how the run ended, what it learned, and what it waits for."""
        memory, known = self.memory, self.memory.snapshot
        return Outcome(
            name=name,
            error=error,
            retry_at=wait.until if wait else error.retry_at if isinstance(error, SecretFull) else None,
            reason=wait.reason if wait else None,
            paused=paused,
            secret_id=self.parts.secret.secret_id,
            tokens=CurrentTokens.of(known.current, self.parts.policy) if known else CurrentTokens(),
            at=memory.service_now() if known else None,
            requests=memory.requests_sent,
            scopes_lost=len(memory.scopes_lost),
            foreign_version=memory.foreign_version,
            provider=self.parts.provider.name,
            host=memory.host,
            copy=self._copy,
            copy_error=memory.publish_failure,
        )

    @property
    def _copy(self) -> CopyState | None:
        """How the published copy is, by what this run read and wrote."""
        known = self.memory.snapshot
        if self.parts.published is None or known is None:
            return None
        return CopyState.of(known, self.memory.publish_failure, is_unread=self.memory.copy_unread)

    def _steps(self) -> Outcome:
        memory, snapshot = self.memory, self.reader.read()
        if self.parts.trigger.force:
            # Forced for this version alone: if another run stores newer tokens meanwhile, the wish is fulfilled.
            memory.forced_version = snapshot.current.version_id
        resend = self.parts.trigger.resend
        if resend and all(attempt.claim_id != resend for attempt in snapshot.ledger.attempts):
            raise no_such_attempt(self.parts.secret)
        polls = 0
        # Something else that keeps changing the secret must not keep a run busy (test_forward_stored_tokens.py).
        for _ in range(STEPS):
            step = self._plan(snapshot)
            while isinstance(step, steps.Wait) and self._polls(step, snapshot):
                seconds = POLL_SECONDS[min(polls, len(POLL_SECONDS) - 1)]
                self.parts.deadline.clock.sleep(min(seconds, max(0.0, self.parts.deadline.remaining_seconds)))
                polls, snapshot = polls + 1, self.reader.read()
                step = self._plan(snapshot)
            outcome = self._ended(step, snapshot)
            if outcome is not None:
                return outcome
            assert isinstance(step, steps.Action)  # noqa: S101 - a rest gives an outcome or raises
            after = self._actions.take(step, snapshot)
            if after is None:
                return self._yield(steps.Wait(memory.service_now() + SETTLED, steps.Reason.UNREADABLE), snapshot)
            snapshot = after
        raise SecretStoreUnavailable(
            f"{self.parts.secret} kept changing while this run read it ({STEPS} times); something else moves its "
            "versions or labels",
            fix=("Find out what with ", self.parts.secret.command("history")),
        )

    def _plan(self, snapshot: Snapshot) -> steps.Step:
        """Plan with the host that the document's variables give; they can fill only what the profile leaves open."""
        policy = self.parts.policy_for(snapshot.current.document)
        self.memory.host = policy.host
        return self.decide(snapshot, self.memory, policy)

    def _ended(self, step: steps.Step, snapshot: Snapshot) -> Outcome | None:
        """End the run if there is nothing to do; None for an action that is to be carried out."""
        # Done, even if the new tokens are due at once: the next run refreshes them.
        if snapshot.current.version_id in self.memory.received and not isinstance(step, steps.Publish):
            return self.outcome(OutcomeName.REFRESHED)
        if isinstance(step, steps.Rest):
            return self._rest(step, snapshot)
        if self.parts.trigger.dry_run:
            recovers = isinstance(step, steps.StoreKeptTokens | steps.Promote | steps.RestageOnEdited)
            if isinstance(step, steps.Redeem):
                self._actions.redemption.prepare(snapshot)  # A real run fails here before it claims.
            return self.outcome(OutcomeName.WOULD_RECOVER if recovers else OutcomeName.WOULD_REFRESH)
        if (
            isinstance(step, steps.Promote)
            and (snapshot.current.version_id, step.successor.version_id) in self.memory.refused
        ):
            return self._yield(steps.Wait(snapshot.now + SETTLED, steps.Reason.STALE), snapshot)
        return None

    def _rest(self, step: steps.Rest, snapshot: Snapshot) -> Outcome:
        match step:
            case steps.SettingsMismatch():
                raise mismatch(self.parts.secret, step, snapshot.newest)
            case steps.KeptTokensLocked():
                assert snapshot.kept_tokens is not None  # noqa: S101 - this run tried to decrypt them
                raise self.memory.kept_tokens_locked[snapshot.kept_tokens.version_id]
            case steps.NextTokensUndecryptable():
                raise tokens_locked(self.parts, step.version_id)
            case steps.Rejected() | steps.TokenUsed() | steps.LivingSetReplaced():
                seen = self.memory.rejected.get(snapshot.current.version_id)
                raise dead_grant(self.parts.secret, step, seen, locked=self.memory.locked_set)
            case steps.AwaitOutcome():
                raise unknown_outcome(self.parts.secret, step, self.memory.locked_claim)
            case steps.StopAtUnread():
                raise unread_response(self.parts.secret, step.claim_id)
            case steps.Fresh() | steps.Wait():
                # The provider rejected a token that was replaced meanwhile: somebody else refreshes this secret.
                if self.memory.rejected and snapshot.current.version_id not in self.memory.rejected:
                    self.parts.log.warning("refresh_superseded", version_id=snapshot.current.version_id)
                    return self.outcome(OutcomeName.SUPERSEDED)
                if isinstance(step, steps.Wait):
                    return self._yield(step, snapshot)
                recovered = snapshot.current.version_id in self.memory.recovered
                return self.outcome(OutcomeName.RECOVERED if recovered else OutcomeName.FRESH)
            case _:
                assert_never(step)

    def _polls(self, step: steps.Wait, snapshot: Snapshot) -> bool:
        """Whether a forced run waits for another run's claim, within its deadline."""
        forced = snapshot.current.version_id == self.memory.forced_version
        waits = step.reason in {steps.Reason.CLAIMED, steps.Reason.UNREADABLE}
        return forced and waits and not self.parts.trigger.dry_run and self.parts.deadline.remaining_seconds > 0

    def _warn_of_schedule(self) -> None:
        """Warn where tokens may expire between two runs: they live shorter than when the schedule was chosen."""
        period, known = self.parts.run_period, self.memory.snapshot
        window = window_of(known.current.document, self.parts.policy) if known else None
        if period is not None and window is not None and period > window:
            self.parts.log.warning(
                "token_lifetime_too_short",
                period_seconds=int(period.total_seconds()),
                remedy=in_words(slow_schedule(window)),
            )

    def _yield(self, step: steps.Wait, snapshot: Snapshot) -> Outcome:
        log = self.parts.log
        pause = pause_of(snapshot) if step.reason is steps.Reason.PAUSED else None
        said = {} if pause is None else {"why": pause.why}
        log.info("refresh_yielded", reason=step.reason.value, retry_at=step.until.isoformat(), **said)
        if step.reason is steps.Reason.DAILY_LIMIT and lifetime_too_short(snapshot.current.document, self.parts.policy):
            move = self.parts.secret.move_claims(StoreName(ClaimStoreKind.TABLE))
            log.warning(
                "token_lifetime_too_short",
                claim_store=self.parts.policy.claim_store.kind.value,
                remedy=in_words(
                    (
                        'deploy with claim_table = "create" and run ',
                        move,
                        ": from retry_at on, runs then fit; a move before the limit is reached helps at once",
                    )
                ),
            )
        paused = pause.why if pause else None
        return self.outcome(OutcomeName.YIELDED, wait=step, paused=paused)
