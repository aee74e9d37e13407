"""Which tokens are known to be dead, and where another set may be alive. Runs and `restore` judge by this alone."""

from datetime import datetime, timedelta

from token_refresh_worker.core.attempts import LONG_AGO, NO_TOKEN, Attempt, Fate, Ledger
from token_refresh_worker.core.plan import is_forgotten, refuse_other_settings, shown_at
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.versions import record_version_id, response_version_id, staged_version_id


def is_dead(snapshot: Snapshot, policy: Policy, limit: timedelta) -> bool:
    """Whether the current tokens, or the last that they lead to, are known to be dead.

    Known is what is recorded: that the provider rejected the token, that somebody revoked it, or that it was used and
    what it brought is gone. A run has the `limit`: until reads show what it stored, nothing is gone.
    """
    stored = snapshot.stored_attempt
    if stored is None and is_forgotten(snapshot, policy):
        return True
    if stored is not None and snapshot.successor is None and not snapshot.locked:
        return snapshot.now >= shown_at(stored, limit)
    rejected = _rejected(snapshot.ledger, stored.next_fingerprint or NO_TOKEN if stored else snapshot.fingerprint)
    return rejected is not None


def replaced_since(snapshot: Snapshot) -> datetime:
    """Return since when a set must be stored to count as replaced by the dead one: since that was issued.

    A person who authorized replaced what is older. Tokens that neither a run nor a command brought lie over any set.
    """
    stored, origin = snapshot.stored_attempt, snapshot.current.document.origin
    if stored is not None:
        return stored.claimed_at
    by_run = any(a.next_fingerprint == snapshot.fingerprint for a in snapshot.ledger.attempts)
    if not by_run and (origin is None or origin.token != snapshot.fingerprint):
        return LONG_AGO
    # A copy may say a later time.
    return min([snapshot.issued_at, *(a.claimed_at for a in snapshot.ledger.on_token(snapshot.fingerprint))])


def unused_of(ledger: Ledger, since: datetime) -> list[Attempt]:
    """Return the attempts since then that stored tokens of which nothing says that they were used or rejected."""
    return [
        attempt
        for attempt in ledger.attempts
        if attempt.fate is Fate.STORED
        and attempt.claimed_at >= since
        and (token := attempt.next_fingerprint) is not None
        and token != NO_TOKEN
        and ledger.successor(token) is None
        and _rejected(ledger, token) is None
    ]


def may_live(snapshot: Snapshot, policy: Policy) -> bool:
    """Whether the current set is unused, nothing says that it is dead, and runs with these settings would take it."""
    document = snapshot.current.document
    return (
        document.revoked_at is None
        and snapshot.stored_attempt is None
        and not is_dead(snapshot, policy, timedelta(0))
        and refuse_other_settings(snapshot, RunState(), policy) is None
    )


def notes_of(ledger: Ledger) -> set[str]:
    """Return the IDs of versions that are claims, or follow from them."""
    staged = {staged_version_id(a.claim_id, a.version_id) for a in ledger.attempts}
    claims = {a.claim_id for a in ledger.attempts}
    return staged | claims | {derived(c) for c in claims for derived in (record_version_id, response_version_id)}


def _rejected(ledger: Ledger, fingerprint: str) -> Attempt | None:
    """Return the last rejection of a token; a later request whose outcome is unknown makes it no better."""
    known = [a for a in ledger.on_token(fingerprint) if a.fate in {Fate.REJECTED, Fate.UNREAD}]
    return known[-1] if known and known[-1].fate is Fate.REJECTED else None
