"""Move the claims on one secret to another store, through the ports of a run."""

from dataclasses import dataclass, replace
from typing import Final

from token_refresh.advice import Advice
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.cli.console.screen import when
from token_refresh_worker.cli.secret.storing import value_of
from token_refresh_worker.core.attempts import Attempt, Fate
from token_refresh_worker.core.claims import Claim, Record
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.core.versions import CURRENT, OUTCOME
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.ports import ClaimStore, SecretStore
from token_refresh_worker.stored.origin import ORIGIN_KEY, ClaimStoreKind, Origin

_STAY: Final = "The claims stay where they are; "
_RECORDED: Final = {Fate.NOT_REDEEMED, Fate.REJECTED, Fate.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of the claims on one secret."""

    secret: SecretName
    store: SecretStore
    target: ClaimStore
    to: ClaimStoreKind
    policy: Policy
    """Of the settings: host and grace of a document that does not name its own."""
    version_id: str
    """A random one, for the document that names the new store."""
    again: Advice
    """What to do where it fails."""

    def carry_out(self, snapshot: Snapshot) -> None:
        """Copy the newest claim, then store the document that names the new store.

        Raises:
            CommandFailed: A claim is open, the table keeps tokens, or something else was stored meanwhile.
        """
        if snapshot.kept is not None:
            raise CommandFailed(
                f"the claim table keeps new tokens for {self.secret} that Secrets Manager refused",
                fix=("Store them first: ", self.secret.command("refresh"), ". Then ", *self.again),
            )
        newest, last = snapshot.newest, snapshot.ledger.attempts[-1:]
        if newest is not None and last[0].fate is Fate.SILENT and snapshot.now < newest.ends_at:
            raise CommandFailed(
                f"a run holds the claim {newest.claim_id} on secret {self.secret.secret_id} until "
                f"{when(newest.ends_at)}",
                fix=("Wait until then; ", *self.again),
            )
        # The claim first, then the document that names its store: a run between the two finds the old store, as before.
        self._store_document(snapshot, self._copy(snapshot))

    def _copy(self, snapshot: Snapshot) -> Claim | None:
        """Copy the newest claim with the ledger and its record; None if there was never a claim.

        Raises:
            CommandFailed: The target has a claim that this one does not follow.
        """
        newest, ledger, target = snapshot.newest, snapshot.ledger.attempts, self.target
        if newest is None:
            return None
        *earlier, last = [_moved(attempt, snapshot, self.version_id) for attempt in ledger]
        claim = replace(newest, earlier=tuple(earlier), version_id=last.version_id)
        before = target.newest().claim  # Left by an earlier move.
        if not target.append(claim, after=before.claim_id if before else None):
            found = target.find(claim.claim_id)
            if found is None or found.claim_id != claim.claim_id:  # A repeated move finds its own claim.
                raise CommandFailed(
                    f"another run stored a claim on secret {self.secret.secret_id} meanwhile", fix=(_STAY, *self.again)
                )
        fate = last.fate
        if fate in _RECORDED:
            target.record(claim, Record(fate=fate, error=None, recorded_at=snapshot.now))
        return claim

    def _store_document(self, snapshot: Snapshot, claim: Claim | None) -> None:
        """Store the current document with the new claim store, if it is still current.

        Raises:
            CommandFailed: Another version became current meanwhile.
        """
        document, current, newest = snapshot.current.document, snapshot.current, snapshot.newest
        origin = document.origin or Origin(
            host=(newest.host if newest else None) or self.policy.host,
            grace=snapshot.counted_grace(self.policy),
            claim_store=self.to,
        )
        moved = replace(origin, claim_store=self.to)
        if claim is not None and claim.number >= origin.number:
            # So that a table that is lost before the next refresh is noticed.
            moved = replace(moved, claim_id=claim.claim_id, number=claim.number)
        # Not under AWSCURRENT: that label moves below, and only if no other version became current.
        self.store.put(self.version_id, value_of({**document.fields, ORIGIN_KEY: moved.as_fields()}), label=OUTCOME)
        if not self.store.move_label(CURRENT, to=self.version_id, remove_from=current.version_id):
            raise CommandFailed(
                f"another version of secret {self.secret.secret_id} than {current.version_id} became current meanwhile",
                fix=(_STAY, *self.again),
            )


def _moved(attempt: Attempt, snapshot: Snapshot, moved_to: str) -> Attempt:
    """Let an attempt on the current version count for the version that replaces it, which has the same tokens.

    Under an attempt without a result tokens may still be found, at the version that it was on.
    """
    if attempt.version_id != snapshot.current.version_id:
        return attempt
    ended = attempt.fate in {Fate.REJECTED, Fate.NOT_REDEEMED}
    return replace(attempt, version_id=moved_to) if ended else attempt
