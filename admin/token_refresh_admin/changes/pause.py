"""Pause the token requests for one secret, or end the pause: both append a claim under which nobody redeems."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from token_refresh_admin.changes.change import WAIT_SECONDS, ChangeFailed, repeated
from token_refresh_worker.core.claims import ClaimPause
from token_refresh_worker.core.pauses import pause_claim, pause_of, repeat_allowed_until
from token_refresh_worker.core.plan import refuse_other_settings
from token_refresh_worker.core.schedule import grant_ends, run_period
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.steps import SettingsMismatch
from token_refresh_worker.core.versions import claim_version_id
from token_refresh_worker.run.failures import mismatch, utc
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import RunDependencies
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.origin import ClaimStoreKind


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Pausing:
    """What begins and ends a pause of one secret."""

    open: Callable[[], RunDependencies]
    """Opens the secret, for each try: a run that is under way may take minutes."""
    run_period: timedelta | None = None
    """The longest time between two scheduled runs; None where it is not set."""
    waiting: Callable[[datetime], None] = lambda _: None
    """Says that a run is under way, and when its claim ends at the latest."""

    def pause(self, lasts: timedelta, why: str) -> tuple[Snapshot, ClaimPause]:
        """Pause the secret from now on, if its grant survives that; return what was read, and the pause."""

        def pause_at(parts: RunDependencies, snapshot: Snapshot) -> ClaimPause:
            made = ClaimPause(until=snapshot.now + lasts, why=why)
            self._refuse_losses(parts, snapshot, made)
            return made

        return self._append("pause", pause_at, stays="nothing was paused")

    def paused(self) -> ClaimPause | None:
        """Return the pause that holds now, also where the newest claim's label is gone, or a read of it is stale."""
        return pause_of(read_newest(self.open()))

    def resume(self, ended: ClaimPause) -> None:
        """End this pause; another one, which somebody began meanwhile, stays."""

        def end_at(parts: RunDependencies, snapshot: Snapshot) -> ClaimPause:
            if pause_of(snapshot) not in {None, ended}:
                raise ChangeFailed(
                    f"somebody paused secret {parts.secret.secret_id} anew meanwhile; that pause stays",
                    fix=("Look at it: ", parts.secret.command("status")),
                )
            return ClaimPause(until=snapshot.now, why="resumed")

        self._append("resume", end_at, stays="the pause goes on")

    def _append(
        self, name: str, make: Callable[[RunDependencies, Snapshot], ClaimPause], *, stays: str
    ) -> tuple[Snapshot, ClaimPause]:
        """Append the claim after the run that is under way, if there is one."""

        def once() -> tuple[Snapshot, ClaimPause] | None:
            parts, snapshot = self._settled()
            made = make(parts, snapshot)
            claim = pause_claim(snapshot, parts.policy.claim_store, made, nonce=parts.nonce())
            follows = snapshot.missing_claim_id is None
            appended = follows and parts.claims.append(claim, after=snapshot.newest_claim_id)
            return (snapshot, made) if appended else None

        parts = self.open()
        done = repeated(once, parts.deadline.clock)
        if done is None:
            secret = parts.secret
            raise ChangeFailed.for_now(
                f"other runs kept changing secret {secret.secret_id}, or reads of it stayed old; {stays}",
                fix=("Try again: ", secret.command(name)),
            )
        return done

    def _settled(self) -> tuple[RunDependencies, Snapshot]:
        """Read what is stored, when no run is under way."""
        while True:
            parts = self.open()
            snapshot = read_newest(parts)
            # Asked by itself: before it, a run would store what has arrived.
            other = refuse_other_settings(snapshot, RunState(), parts.policy)
            if isinstance(other, SettingsMismatch):
                raise mismatch(parts.secret, other)
            if snapshot.kept_tokens is not None:
                held = f"the claim table keeps new tokens for secret {parts.secret.secret_id}"
                raise ChangeFailed(
                    f"{held}, and a pause would drop them", fix=("Store them first: ", parts.secret.command("refresh"))
                )
            if snapshot.open_until is None:
                return parts, snapshot
            # It may have to keep its tokens beside its claim. Meanwhile no other run sends anything.
            self.waiting(snapshot.open_until)
            parts.deadline.clock.sleep(WAIT_SECONDS)

    def _refuse_losses(self, parts: RunDependencies, snapshot: Snapshot, made: ClaimPause) -> None:
        if snapshot.is_dead:
            return  # The grant is lost already.
        secret, current = parts.secret, snapshot.current
        repeated_until = repeat_allowed_until(snapshot, parts.policy)
        ends = grant_ends(current.document, current.stored_at, parts.policy)
        end = min((end for end in ends if snapshot.now < end.at), default=None)
        period = self.run_period or run_period(current.document, parts.policy)
        if repeated_until is not None and made.until + period >= repeated_until:
            raise ChangeFailed(
                f"nobody knows what became of the last token request for secret {secret.secret_id}, and the provider "
                f"lets a run repeat it until {utc(repeated_until)}: a pause until {utc(made.until)} could lose the "
                "grant",
                fix=("Let a run repeat it first: ", secret.force),
            )
        if end is not None and end.at < made.until + period:
            raise ChangeFailed(
                f"the grant of secret {secret.secret_id} ends at {utc(end.at)}: if the pause lasts "
                f"until {utc(made.until)}, no run could refresh before that",
                fix="Choose a shorter --for, and let a run refresh the tokens before the grant ends",
            )


def read_newest(parts: RunDependencies) -> Snapshot:
    """Read what is stored with the newest claim, also where its label is gone, or a read of it is stale."""
    memory = Memory(clock=parts.deadline.clock)
    reader = SnapshotReader(parts=replace(parts, published=None), memory=memory)
    snapshot = reader.read()
    if parts.policy.claim_store.kind is ClaimStoreKind.TABLE:
        return snapshot  # A table has no label, and its reads are consistent.
    newest, number, claim_id = snapshot.newest, snapshot.claim_number, snapshot.next_claim_id(ClaimStoreKind.VERSIONS)
    while found := reader.claim_named(claim_id, number + 1, newest, snapshot.current):
        newest, number, claim_id = found, found.number, claim_version_id(found.claim_id)
    if newest is snapshot.newest:
        return snapshot
    memory.newest_claim = newest
    return reader.read()
