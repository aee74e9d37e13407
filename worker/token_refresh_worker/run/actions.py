"""Carry out an action of the plan, and say what is stored then."""

from dataclasses import dataclass, replace
from typing import assert_never

from token_refresh.errors import SecretStoreError
from token_refresh_worker.core.snapshot import PublishedCopy, Snapshot, TokenSet
from token_refresh_worker.core.steps import (
    Action,
    Promote,
    Publish,
    Redeem,
    ReplaceLostTable,
    RestageOnEdited,
    StoreKeptTokens,
)
from token_refresh_worker.core.versions import CURRENT, OUTCOME, published_version_id, staged_version_id
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import RunDependencies, SecretStore
from token_refresh_worker.run.redemption import Redemption
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.document import TokenDocument
from token_refresh_worker.stored.published import published_document, read_published


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Actions:
    """Everything that a run does."""

    parts: RunDependencies
    memory: Memory
    reader: SnapshotReader
    redemption: Redemption

    def take(self, step: Action, snapshot: Snapshot) -> Snapshot | None:
        """Carry out `step`; None where another run was faster, and its claim can't be read yet.

        Raises:
            TokenRefreshError: It can't be carried out; what is stored is left so that a later run can go on.
        """
        match step:
            case StoreKeptTokens():
                self.redemption.keeping.store(step)
                return self.reader.read()
            case Promote(successor):
                return self._promote(successor, snapshot)
            case RestageOnEdited(successor, claim_id):
                return self._carry(successor, claim_id, snapshot)
            case Publish():
                return self._publish(snapshot)
            case ReplaceLostTable(claim, after, kept):
                if self._is_current(snapshot.current):
                    self.parts.log.warning("claim_table_lost", claim_id=claim.claim_id)
                    self.parts.claims.append(claim, after=after, kept_tokens=kept)
                return self.reader.read()
            case Redeem():
                return self._redeem(step, snapshot)
            case _:
                assert_never(step)

    def _redeem(self, step: Redeem, snapshot: Snapshot) -> Snapshot | None:
        claim = step.claim
        prepared = self.redemption.prepare(snapshot)
        if not self.parts.claims.append(claim, after=step.after, kept_tokens=step.kept_tokens):
            # Another run appended this one.
            found = self.reader.claim_named(claim.claim_id, claim.number, snapshot.newest, snapshot.current)
            if found is None:
                return None
            self.memory.newest_claim = found
            return self.reader.read()
        self.memory.note_claimed(claim)
        self.parts.log.info(
            "refresh_claimed",
            claim_id=claim.claim_id,
            attempt=claim.attempt_number,
            claimed_version_id=claim.version_id,
        )
        staged = self.redemption.redeem(claim, prepared, snapshot)
        return self.reader.read() if staged is None else self._promote(staged, snapshot)

    def _is_current(self, token_set: TokenSet) -> bool:
        """Read again, now that the table is known to be lost: it may have held claims on a newer version."""
        version = self.parts.store.read(label=CURRENT)
        return version is not None and version.version_id == token_set.version_id

    def _promote(self, successor: TokenSet, snapshot: Snapshot) -> Snapshot:
        """Swap AWSCURRENT from the version that was read; if it is not there any more, a newer version wins."""
        current, memory = snapshot.current, self.memory
        memory.replaced = memory.replaced or current
        if not self.parts.store.move_label(CURRENT, to=successor.version_id, remove_from=current.version_id):
            # After a lost response the repeat is refused too: the label has moved already. The next read shows it.
            memory.refused.add((current.version_id, successor.version_id))
            self.parts.log.warning("promotion_refused", staged_version_id=successor.version_id)
            return self.reader.read()
        self.parts.log.info("tokens_promoted", version_id=successor.version_id, previous_version_id=current.version_id)
        if successor.version_id not in memory.received:
            memory.recovered.add(successor.version_id)
        promoted = memory.note_promoted(snapshot, successor)
        if memory.scopes_lost:
            # A response may hold a token anywhere: of its scopes, only those that the profile names are quoted.
            page = self.parts.provider.authorization
            named = [scope for scope in memory.scopes_lost if page and scope in page.scopes]
            self.parts.log.warning("scopes_shrunk", lost=len(memory.scopes_lost), named=named)
        return promoted

    def _carry(self, successor: TokenSet, claim_id: str, snapshot: Snapshot) -> Snapshot:
        """Stage stored tokens on top of the version that someone saved meanwhile, with its other keys."""
        current = snapshot.current
        document = successor.document.carried(onto=current.document, extra_names=self.parts.provider.response.extra)
        version_id = staged_version_id(claim_id, current.version_id)
        # False is fine: the value follows from these two versions, so a taken ID holds the same tokens.
        self.parts.store.put(version_id, document.serialize(), label=OUTCOME)
        self.parts.log.warning("tokens_carried", staged_version_id=version_id)
        received = successor.version_id in self.memory.received
        return self._promote(self.memory.note_staged(version_id, document, received=received), snapshot)

    def _publish(self, snapshot: Snapshot) -> Snapshot:
        """Bring the published copy up to date, by compare-and-swap from the copy that was read first.

        A refusal means that another run published: this run does not try again.
        """
        store, source = self.parts.published, snapshot.current
        assert store is not None  # noqa: S101 - the plan publishes only if there is a published secret
        version_id = published_version_id(source.version_id)
        replaced = snapshot.published.version_id if snapshot.published else None
        try:
            moved = publish(store, source.document, source.version_id, replaced=replaced)
        except SecretStoreError as failure:
            self.memory.stop_publishing(failure)
            return snapshot
        if not moved:
            self.memory.stop_publishing()
            return snapshot
        self.parts.log.info("tokens_published", published_version_id=version_id)
        content = read_published(published_document(source.document, source.version_id))
        copy = PublishedCopy(version_id=version_id, stored_at=self.memory.service_now(), content=content)
        self.memory.snapshot = replace(snapshot, published=copy)
        return self.memory.snapshot


def publish(store: SecretStore, document: TokenDocument, source_version_id: str, *, replaced: str | None) -> bool:
    """Publish a token set by compare-and-swap; False if another version than `replaced` is published by now.

    Read `replaced` before the token set: else an older access token could follow a newer one.
    """
    version_id = published_version_id(source_version_id)
    store.put(version_id, published_document(document, source_version_id), label=OUTCOME)
    return store.move_label(CURRENT, to=version_id, remove_from=replaced)
