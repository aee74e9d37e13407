"""Carry out a step of the plan, and say what is stored now."""

from dataclasses import replace
from datetime import datetime
from typing import Final, assert_never

from token_refresh.core.claims import Claim, ClaimEntry, Redemption, write_claim
from token_refresh.core.plan import Action, Append, Carry, Promote, Publish, Redeem, Release, Tidy
from token_refresh.core.snapshot import Snapshot, Spent, TokenSet
from token_refresh.core.versions import CLAIM, CURRENT, PENDING, published_version_id, staged_version_id
from token_refresh.errors import InvalidSecretDocument, ReauthorizationRequired, SecretStoreError
from token_refresh.ports import SecretStore
from token_refresh.refresh.requests import prepare_refresh
from token_refresh.refresh.session import Session
from token_refresh.stored.document import SIZE_LIMIT_BYTES, TokenDocument
from token_refresh.stored.published import published_document

ROOM_BYTES: Final = 16_384
"""How much a token document may grow by new tokens; one without that room is refused before anything is redeemed."""


def act(step: Action, session: Session, snapshot: Snapshot) -> Snapshot:  # noqa: PLR0911 - one a step
    """Carry out `step`.

    Raises:
        TokenRefreshError: It can't be carried out; what is stored is left so that a later run can go on.
    """
    match step:
        case Append(claim):
            return _append(claim, session, snapshot)
        case Redeem(claim):
            return _redeem(claim, session, snapshot)
        case Promote(staged):
            return _promote(staged, session, snapshot)
        case Carry(spent):
            return _carry(spent, session, snapshot)
        case Release(claim):
            session.record(claim, Redemption.NOT_REDEEMED)
            session.hold(None)
            return session.read()
        case Tidy():
            _tidy(session, session.parts.store, snapshot.current.version_id)
            current = replace(snapshot.current, labels=snapshot.current.labels - {PENDING})
            return session.note(replace(snapshot, current=current))
        case Publish():
            return _publish(session, snapshot)
        case _:
            assert_never(step)


def dead_grant(secret_id: str, since: datetime) -> ReauthorizationRequired:
    """Say that a person must authorize again, and how."""
    return ReauthorizationRequired(
        f"the provider rejected the refresh token of secret {secret_id} (invalid_grant) at {since:%Y-%m-%d %H:%M:%S} "
        "UTC; a person must authorize again: run `token-refresh authorize`, or store a new token set as a new version "
        "of the secret. The next run then goes on by itself"
    )


def _append(claim: Claim, session: Session, snapshot: Snapshot) -> Snapshot:
    """Claim the right to redeem, durably, before anything is sent; all that can be found out before, is."""
    parts, document = session.parts, snapshot.current.document
    _check_room(session.secret_id, document)
    session.prepared = prepare_refresh(document, parts.provider, parts.credentials, parts.previous_credentials)
    session.check_time()
    if not parts.store.put(claim.claim_id, write_claim(claim, parts.nonce()), label=CLAIM):
        return _outrun(claim, session, snapshot)
    parts.log.info(
        "refresh_claimed", claim_id=claim.claim_id, attempt=claim.attempt, claimed_version_id=claim.version_id
    )
    session.hold(claim)
    return session.note(replace(session.read(own=claim), elsewhere=snapshot.elsewhere))


def _outrun(claim: Claim, session: Session, before: Snapshot) -> Snapshot:
    """Another run appended first. If the label does not show it, someone moved the label: put it back."""
    after = session.read()
    label_at = before.newest.claim_id if before.newest else None
    if (after.newest.claim_id if after.newest else None) != label_at:
        return after
    session.parts.log.warning("claim_label_put_back", claim_id=claim.claim_id)
    session.parts.store.move_label(CLAIM, to=claim.claim_id, remove_from=label_at)
    return session.read()


def _check_room(secret_id: str, document: TokenDocument) -> None:
    size_bytes = len(document.serialize().reveal())
    if size_bytes + ROOM_BYTES > SIZE_LIMIT_BYTES:
        raise InvalidSecretDocument(
            f"secret {secret_id} has {size_bytes} bytes, which leaves no room for new tokens: Secrets Manager takes "
            f"{SIZE_LIMIT_BYTES}. Move keys that are not about the tokens to another secret"
        )


def _redeem(claim: ClaimEntry, session: Session, snapshot: Snapshot) -> Snapshot:
    # Imported here: with it comes tenacity, which a run that finds the token fresh does not need.
    from token_refresh.refresh.redeem import redeem, stage  # noqa: PLC0415

    pending = session.parts.store.read(label=PENDING)
    document = redeem(claim, session, snapshot)
    if document is None:
        return session.read()
    staged = stage(claim, document, session)
    if pending is not None:
        session.parts.log.warning("pending_label_taken", pending_version_id=pending.version_id)
    return _promote(staged, session, snapshot)


def _carry(spent: Spent, session: Session, snapshot: Snapshot) -> Snapshot:
    """Stage received tokens again, on top of the version that someone saved meanwhile, with its other keys."""
    version_id = staged_version_id(spent.claim.claim_id, snapshot.current.version_id)
    document = spent.staged.document.carried(onto=snapshot.current.document)
    session.parts.store.put(version_id, document.serialize(), label=PENDING)
    session.parts.log.warning("tokens_carried", staged_version_id=version_id)
    if spent.staged.version_id in session.redeemed:
        session.redeemed.add(version_id)
    return session.read()


def _promote(staged: TokenSet, session: Session, snapshot: Snapshot) -> Snapshot:
    """Swap AWSCURRENT from the version that was redeemed; if it is elsewhere by now, the newer version wins."""
    store, current = session.parts.store, snapshot.current
    if not store.move_label(CURRENT, to=staged.version_id, remove_from=current.version_id):
        session.parts.log.warning("promotion_refused", staged_version_id=staged.version_id)
        return session.read()
    session.parts.log.info("tokens_promoted", version_id=staged.version_id, previous_version_id=current.version_id)
    _tidy(session, store, staged.version_id)
    if staged.version_id not in session.redeemed:
        session.recovered.add(staged.version_id)
        return session.read()
    # What this run received and promoted itself needs no reading to be known.
    promoted = replace(staged, labels=frozenset({CURRENT}))
    return session.note(replace(snapshot, current=promoted, attempts=(), newest_ended=True, elsewhere=(), spent=None))


def _tidy(session: Session, store: SecretStore, version_id: str) -> None:
    """Take AWSPENDING off; where this run can't, the next one does, so it fails nothing."""
    try:
        store.move_label(PENDING, to=None, remove_from=version_id)
    except SecretStoreError as error:
        session.parts.log.warning("pending_label_left", version_id=version_id, error_type=type(error).__name__)


def _publish(session: Session, snapshot: Snapshot) -> Snapshot:
    """Bring the published copy up to the current version, by compare-and-swap from the copy that was read before it."""
    store, source = session.parts.published, snapshot.current
    assert store is not None  # noqa: S101 - the plan publishes only where there is a published secret
    version_id = published_version_id(source.version_id)
    try:
        store.put(version_id, published_document(source.document, source.version_id), label=PENDING)
        if not store.move_label(CURRENT, to=version_id, remove_from=snapshot.published):
            return session.read()
        _tidy(session, store, version_id)
    except SecretStoreError as failure:
        session.publish_failure = failure
        session.standing = replace(session.standing, publishes=False)
        return snapshot
    session.parts.log.info("tokens_published", published_version_id=version_id)
    return session.note(replace(snapshot, published=version_id))
