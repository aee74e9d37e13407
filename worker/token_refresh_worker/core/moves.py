"""How claims go to another claim store: a fence ends their chain in the old one, and an arrival begins a new one.

Both are claims under which nobody redeems. The fence is appended as any claim is, so no run can claim in the old store
after it. It follows no open claim: a run may have to keep its tokens in the old store, where nobody would look. The
arrival is the claim that follows the fence: all claims on a secret form one chain, through all stores, and a move that
was interrupted can be carried out again.
"""

from dataclasses import replace

from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.pauses import pause_of
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.core.versions import claim_version_id, moved_version_id
from token_refresh_worker.stored.origin import IN_VERSIONS, StoreName

# Nothing is staged under them any more: an attempt's version leads to its tokens.
_ENDED = {Fate.NOT_REDEEMED, Fate.REJECTED, Fate.UNKNOWN}


def fence(snapshot: Snapshot, source: StoreName, to: StoreName, *, above: int, nonce: str) -> Claim:
    """Return the claim that ends the chain of claims; `above` is the highest number in the store that they go to.

    By its number the arrival is known to be there.
    """
    claim = snapshot.next_claim(source, fate=Fate.MOVED, nonce=nonce)
    return replace(claim, number=max(claim.number, above + 1), moved_to=to, pause=pause_of(snapshot))


def arrival(fence: Claim, *, base: str, nonce: str) -> Claim:
    """Return the first claim in the store that a fence names; the document in version `base` will name that store."""
    claim_id = claim_version_id(fence.claim_id)
    named = moved_version_id(claim_id, base)
    # The move stores the document as another version, on which a rejection, a backoff and `Retry-After` still count.
    earlier = (replace(a, version_id=named) if a.version_id == base and a.fate in _ENDED else a for a in fence.earlier)
    return replace(
        fence,
        claim_id=claim_id,
        version_id=claim_id,
        # The document that names the store is a version, too.
        versions=1 + (fence.moved_to == IN_VERSIONS),
        earlier=(*earlier, fence),
        number=fence.number + 1,
        nonce=nonce,
    )
