"""One run: read, plan, act, until at rest.

    read ──> plan ──> Fresh ──────────────────────────> fresh, refreshed or recovered
      ^        ├────> Wait ───────────────────────────> yielded (a forced run reads again)
      │        ├────> Stop, Hold ─────────────────────> an error
      └── act <┴────> every other step

A crash needs no code: the next run takes the step that the crashed one would have taken.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from token_refresh.core.claims import Redemption
from token_refresh.core.plan import Fresh, Hold, Publish, Reason, Rest, Step, Stop, Tidy, Wait, plan
from token_refresh.core.schedule import Policy
from token_refresh.core.snapshot import Snapshot, Standing, TokenSet
from token_refresh.errors import RefreshOutcomeUnknown, SecretStoreUnavailable, TokenRefreshError
from token_refresh.ports import Deadline
from token_refresh.refresh.session import Parts, Session
from token_refresh.refresh.steps import act, dead_grant

STEPS_LIMIT: Final = 50
"""More steps than any history of the secret needs; a forced run that polls is bounded by its deadline instead."""

_POLL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a run came to that did not fail."""

    outcome: str
    current: TokenSet
    retry_at: datetime | None = None


class Run:
    """One run on one token secret. After it ended, either way, `session` tells how far it came."""

    def __init__(  # noqa: PLR0913 - all by name; the composition root is the one caller
        self,
        *,
        parts: Parts,
        policy: Policy,
        secret_id: str,
        deadline: Deadline,
        request_timeout_seconds: float,
        force: bool = False,
        dry_run: bool = False,
    ) -> None:
        self._dry_run = dry_run
        self.session = Session(
            parts=parts,
            policy=policy,
            secret_id=secret_id,
            deadline=deadline,
            request_timeout_seconds=request_timeout_seconds,
            standing=Standing(
                forced=force,
                forced_version=None,
                claim_id=None,
                tidies=not dry_run,
                publishes=parts.published is not None and not dry_run,
            ),
        )

    def execute(self) -> Settled:
        """Run until at rest.

        Raises:
            TokenRefreshError: One of the named failures; what is stored stays as it is, and the next run goes on.
        """
        session = self.session
        try:
            settled = self._until_at_rest()
        except TokenRefreshError:
            self._release_unused_claim()
            raise
        if session.publish_failure is not None:
            raise session.publish_failure
        return settled

    def _until_at_rest(self) -> Settled:
        session = self.session
        snapshot = session.read()
        if session.standing.forced:
            session.standing = replace(session.standing, forced_version=snapshot.current.version_id)
        steps = 0
        while steps < STEPS_LIMIT:
            step = plan(snapshot, session.standing, session.policy)
            settled = self._rest(step, snapshot)
            if settled is not None:
                return settled
            if isinstance(step, Rest):  # A forced run waits for another's claim.
                session.parts.clock.sleep(min(_POLL_SECONDS, session.deadline.remaining_seconds))
                snapshot = session.read()
            else:
                snapshot = act(step, session, snapshot)
                steps += 1
        raise SecretStoreUnavailable(
            f"secret {session.secret_id} did not come to rest within {STEPS_LIMIT} steps; something keeps changing its "
            "versions or labels: look at its history for who does"
        )

    def _rest(self, step: Step, snapshot: Snapshot) -> Settled | None:
        """End the run where there is nothing to do or to wait for; None where there is."""
        secret_id, current = self.session.secret_id, snapshot.current
        if isinstance(step, Fresh) or (
            current.version_id in self.session.redeemed and not isinstance(step, Publish | Tidy)
        ):
            return Settled(outcome=self._outcome(current), current=current)
        match step:
            case Stop(record):
                raise dead_grant(secret_id, record.recorded_at)
            case Hold(since, until):
                raise RefreshOutcomeUnknown(
                    f"a refresh of secret {secret_id} was begun at {since:%Y-%m-%d %H:%M:%S} UTC and nobody knows "
                    "whether its refresh token was redeemed; sent again, it could make the provider revoke the grant. "
                    f"The next attempt is made after {until:%Y-%m-%d %H:%M:%S} UTC; before then re-authorize with "
                    "`token-refresh authorize`, or force a run to try now"
                )
            case Wait(until, reason):
                return None if self._polls(reason, current) else self._yield(until, reason, current)
            case _:
                return Settled(outcome="would_refresh", current=current) if self._dry_run else None

    def _outcome(self, current: TokenSet) -> str:
        if current.version_id in self.session.redeemed:
            return "refreshed"
        return "recovered" if current.version_id in self.session.recovered else "fresh"

    def _polls(self, reason: Reason, current: TokenSet) -> bool:
        """A forced run waits for another's claim, within its own deadline, until another version is current."""
        forced = current.version_id == self.session.standing.forced_version
        in_time = self.session.deadline.remaining_seconds > 0
        return forced and in_time and reason is Reason.CLAIMED and not self._dry_run

    def _yield(self, until: datetime, reason: Reason, current: TokenSet) -> Settled:
        self.session.parts.log.info("refresh_yielded", reason=reason.value, retry_at=until.isoformat())
        return Settled(outcome="yielded", current=current, retry_at=until)

    def _release_unused_claim(self) -> None:
        """End a claim under which nothing was sent, so that no later run takes its outcome for unknown."""
        if self.session.claim is not None:
            self.session.record(self.session.claim, Redemption.NOT_REDEEMED)
