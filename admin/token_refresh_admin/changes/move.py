"""Move the claims on one secret to another store."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from token_refresh.errors import ConfigurationError
from token_refresh.stored.json_object import write_object
from token_refresh_admin.changes.change import ChangeFailed, fields_of, repeated, swap
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.moves import arrival, fence
from token_refresh_worker.core.plan import replace_lost_table
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.steps import SettingsMismatch
from token_refresh_worker.core.versions import CURRENT, moved_version_id
from token_refresh_worker.run.failures import SecretName, mismatch, move_options, utc
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import ClaimStore, RunDependencies
from token_refresh_worker.run.redemption import check_room
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.origin import IN_VERSIONS, ORIGIN_KEY, ClaimStoreKind, StoreName, read_origin


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Move:
    """Moves the claims. It can be interrupted at any call, and carried out again, also by somebody else."""

    parts: RunDependencies
    """Its policy counts for a document that does not say it: its host, its grace, and where the claims are."""
    claims: Callable[[StoreName], ClaimStore]
    """Opens a claim store of the secret."""
    memory: Memory
    knows_host: bool = True
    """Whether somebody named the provider: the host of a default must not be stored as the token's."""

    @property
    def secret(self) -> SecretName:
        """The secret, as messages name it."""
        return self.parts.secret

    def carry_out(self, to: StoreName) -> bool:
        """Move the claims; False if they are there already."""
        tried = False

        def once() -> bool | None:
            nonlocal tried
            origin = read_origin(fields_of(self.parts.store.read(label=CURRENT)))
            ours = self.parts.policy.claim_store
            source = ours if origin is None else origin.claim_store
            if source == to:
                return tried
            tried = True
            return self._try(source, to) or None

        moved = repeated(once, self.memory.clock)
        if moved is not None:
            return moved
        open_until = self.memory.snapshot.open_until if self.memory.snapshot else None
        raise ChangeFailed.for_now(
            f"a run may be redeeming the refresh token of {self.secret} until {utc(open_until)}; nothing was moved"
            if open_until
            else f"other runs kept changing {self.secret}, or reads of it stayed old; the move is not complete",
            fix=("Go on with ", self.secret.move_claims(to)),
            retry_at=open_until,
        )

    def rename(self, to: StoreName) -> bool:
        """Let the document name another table in place of one that is lost; False if it names that already.

        The claims begin anew there: those that a backup may lack count as attempts, as where a run finds a table lost.
        """
        origin, move = read_origin(fields_of(self.parts.store.read(label=CURRENT))), self.secret.move_claims(to)
        if origin is None or origin.claim_store.kind is not ClaimStoreKind.TABLE:
            raise ChangeFailed(
                f"{self.secret} names no claim table, so none is lost", fix=("To move the claims: ", move)
            )
        if to.table is None:
            another = self.secret.command("claims move", "--to", "table", "--table", "NAME", "--lost")
            raise ChangeFailed("--lost names another table in place of the lost one", fix=("First: ", another))
        lost = origin.claim_store
        if lost == to:
            return False
        if self._has_claims(lost, named=origin.number):
            raise ChangeFailed(f"{lost} exists, and has lost no claims", fix=("Move them: ", move))
        claims = self.claims(to)
        snapshot = self._read(claims, to)
        first = snapshot.newest
        # No claim followed one that keeps tokens, and a run stores them.
        if snapshot.kept_tokens is None or first is None:
            run = RunState(limit=self.memory.limit, nonce=self.parts.nonce())
            policy = replace(self.parts.policy, claim_store=to)
            step = replace_lost_table(snapshot, run, policy)
            first = step.claim if claims.append(step.claim, after=step.after) else None
        if first is None or not self._name_in_document(snapshot, to, first):
            again = self.secret.command("claims move", *move_options(to), "--lost")
            raise ChangeFailed.for_now(
                f"another version of {self.secret} became current meanwhile", fix=("Try again: ", again)
            )
        return True

    def _has_claims(self, table: StoreName, *, named: int) -> bool:
        """Whether the table has claims, or had none to lose: a run may be about to append the first."""
        try:
            return self.claims(table).newest().claim is not None or named == 0
        except ConfigurationError:
            return False  # There is no such table.

    def _read(self, claims: ClaimStore, name: StoreName) -> Snapshot:
        policy = replace(self.parts.policy, claim_store=name)
        parts = replace(self.parts, claims=claims, policy=policy, published=None)
        return SnapshotReader(parts=parts, memory=self.memory).read()

    def _try(self, source: StoreName, to: StoreName) -> bool:
        """Take each step that was not taken yet; False where something else was stored meanwhile."""
        claims, target = self.claims(source), self.claims(to)
        snapshot = self._read(claims, source)
        if snapshot.claims_in_versions:
            raise mismatch(self.secret, SettingsMismatch("CLAIM_TABLE", IN_VERSIONS, source))
        if snapshot.host is None and not self.knows_host:
            move = self.secret.command("claims move", *move_options(to), "--provider", "NAME")
            raise ChangeFailed(
                f"nothing names the provider of the tokens of {self.secret}, and the move has to store its host; "
                "nothing was moved",
                fix=("Name it: ", move),
            )
        # Read before the fence is stored: where the target can't be used, runs must not be stopped.
        found = target.newest()
        if found.locked is not None:  # Its number is not known, and the arrival's must be higher.
            raise found.locked
        present = found.claim
        fenced = self._fenced(snapshot, claims, source, to, above=present.number if present else 0)
        if fenced is None:
            return False
        first = arrival(fenced, base=snapshot.current.version_id, nonce=self.parts.nonce())
        if not self._arrived(present, first):
            appended = target.append(first, after=present.claim_id if present else None)
            if not appended and not self._arrived(target.find(first.claim_id), first):
                return False
        return self._name_in_document(snapshot, to, first)

    @staticmethod
    def _arrived(found: Claim | None, first: Claim) -> bool:
        """Whether the arrival, or a claim that follows it, is in the new store."""
        return found is not None and found.number >= first.number

    def _fenced(
        self, snapshot: Snapshot, claims: ClaimStore, source: StoreName, to: StoreName, *, above: int
    ) -> Claim | None:
        """Append the fence, unless it is there; None where another run was faster, or reads are old."""
        newest = snapshot.newest
        if newest is not None and newest.moved_to not in {None, source}:
            if newest.moved_to == to:
                return newest
            raise ChangeFailed(
                f"a move of the claims on {self.secret} to {newest.moved_to} is not complete",
                fix=("First: ", self.secret.move_claims(newest.moved_to)),
            )
        if snapshot.kept_tokens is not None:
            raise ChangeFailed(
                f"{source} keeps new tokens for {self.secret} that Secrets Manager refused",
                fix=("Store them first: ", self.secret.force, ". Then: ", self.secret.move_claims(to)),
            )
        if snapshot.missing_claim_id is not None:
            if source.kind is ClaimStoreKind.TABLE:
                raise ChangeFailed(
                    f"{source} has lost the newest claims on {self.secret}",
                    fix=("Let a run begin anew there: ", self.secret.force, ". Then move them"),
                )
            if snapshot.now < snapshot.current.stored_at + SETTLED:
                return None
        if snapshot.open_until is not None:
            return None
        check_room(self.secret, snapshot.current)  # Likewise before the fence: the move has to store the document.
        made = fence(snapshot, source, to, above=above, nonce=self.parts.nonce())
        if claims.append(made, after=newest.claim_id if newest else None):
            return made
        found = claims.find(made.claim_id)
        if found is not None and found.nonce:
            self.memory.newest_claim = found  # The label that led to an older one may be stale, or moved.
        return None

    def _name_in_document(self, snapshot: Snapshot, to: StoreName, first: Claim) -> bool:
        """Store the document again, with the new store's name; False if another version became current meanwhile."""
        current = snapshot.current
        named = replace(
            snapshot.marked(self.parts.policy), claim_store=to, claim_id=first.claim_id, number=first.number
        )
        version_id = moved_version_id(first.claim_id, current.version_id)
        value = write_object({**current.document.fields, ORIGIN_KEY: named.as_fields()})
        return swap(self.parts.store, current.version_id, version_id, value)
