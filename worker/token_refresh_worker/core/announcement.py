"""Events about a grant: somebody has to authorize again, somebody has, or the grant ends soon. They hold no secret.

A fleet finds transitions in its rows. A worker with one secret has none: it finds them in the ledger of its claims and
in the token set that it replaces, so each of its events comes with the token request that shows the transition.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import takewhile

from token_refresh.stored.times import iso
from token_refresh_worker.core.attempts import Attempt, Fate
from token_refresh_worker.core.snapshot import Snapshot, TokenSet
from token_refresh_worker.stored.document import TokenDocument


class Transition(StrEnum):
    """The `detail-type` of an event."""

    REAUTHORIZATION_REQUIRED = "Reauthorization Required"
    """The provider rejected the grant: run `token-refresh authorize`, or let the customer connect again (`Grants`)."""
    REAUTHORIZED = "Reauthorized"
    """A grant works again."""
    GRANT_ENDING = "Grant Ending"
    """The grant ends within 7 days (a short one: within the last quarter of its life), and no refresh prolonged it."""
    SCOPES_SHRUNK = "Scopes Shrunk"
    """A refresh brought tokens with fewer scopes than before: the provider rejects some requests from now on."""
    CORRECTION_REQUIRED = "Correction Required"
    """The secret can't be refreshed: document, setting or permission is wrong, or a response is kept."""
    REFRESH_HELD = "Refresh Held"
    """A request may have been received, and a repeat may revoke the grant: the refresh waits."""
    DOCUMENT_MISSING = "Document Missing"
    """The secret has no tokens yet, or its grant was revoked: run `token-refresh authorize`."""
    WORKING_AGAIN = "Working Again"
    """A secret that was in one of these three states is refreshed again."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Announcement:
    """One event; it holds no secret."""

    transition: Transition
    secret_id: str
    version_id: str | None
    provider: str
    fleet: str | None
    since: datetime

    @property
    def detail(self) -> dict[str, str | None]:
        """The event's `detail`."""
        return {
            "secret_id": self.secret_id,
            "version_id": self.version_id,
            "provider": self.provider,
            "fleet": self.fleet,
            "since": iso(self.since),
        }


def transition_of_run(
    snapshot: Snapshot, *, rejected: bool, replaced: TokenSet | None = None
) -> tuple[Transition, datetime] | None:
    """Return the transition that a token request made known, and since when it holds.

    The request was `rejected`, or its tokens are current by the end of the run, and have `replaced` others.
    """
    if rejected:
        # Announced once: a rejected token is sent again after an hour and a day, and then rejected again.
        first = sum(attempt.fate is Fate.REJECTED for attempt in snapshot.ledger.on_token(snapshot.fingerprint)) <= 1
        return (Transition.REAUTHORIZATION_REQUIRED, snapshot.now) if first else None
    before = _decided_before(snapshot)
    if before is not None and before.fate is Fate.REJECTED:
        return Transition.REAUTHORIZED, snapshot.now
    since = _ending_since(snapshot.current.document)
    # By the documents alone, which both runs read alike: each looks at the same two times.
    if since is None or (replaced is not None and _ending_since(replaced.document) is not None):
        return None
    return Transition.GRANT_ENDING, since


def _ending_since(document: TokenDocument) -> datetime | None:
    """Say since when the grant counted as ending, if it did when the tokens were issued."""
    since = document.origin.grant_ending_at if document.origin else None
    return since if since is not None and document.issued_at is not None and document.issued_at >= since else None


def _decided_before(snapshot: Snapshot) -> Attempt | None:
    """Return the last attempt with a known verdict before the attempt that brought the current tokens."""
    origin = snapshot.current.document.origin
    # A run that recovers tokens has the attempt that brought them in its ledger; it is not one before them.
    mine = origin.claim_id if origin else None
    earlier = takewhile(lambda attempt: attempt.claim_id != mine, snapshot.ledger.attempts)
    return next((a for a in reversed(list(earlier)) if a.fate in {Fate.REJECTED, Fate.STORED}), None)
