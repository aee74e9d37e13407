"""How claims go to another claim store: a fence ends their chain in the old one, and an arrival begins a new one.

Both are claims under which nobody redeems. The fence is appended as any claim is, so no run can claim in the old store
after it; a run that held a claim before it still ends as usual. The arrival is the claim that follows the fence: all
claims on a secret form one chain, through all stores, and a move that was interrupted can be carried out again.
"""

from dataclasses import replace
from datetime import timedelta

from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.core.versions import claim_version_id
from token_refresh_worker.stored.origin import IN_VERSIONS, StoreName

_NO_TOKEN = "-" * 22  # as long as a fingerprint, and the fingerprint of none


def fence(snapshot: Snapshot, source: StoreName, to: StoreName, *, above: int, nonce: str) -> Claim:
    """Give the claim that ends the chain of claims; `above` is the highest number in the store that they go to.

    By its number the arrival is known to be there.
    """
    newest, origin = snapshot.newest, snapshot.current.document.origin
    claim_id = snapshot.next_claim_id(source.kind)
    return Claim(
        claim_id=claim_id,
        version_id=claim_id,
        attempt_number=0,
        claimed_at=snapshot.now,
        fingerprint=_NO_TOKEN,
        fate=Fate.MOVED,
        versions=int(source == IN_VERSIONS),
        # An open claim stays open in the other store: it ends before this one does.
        time_to_live=newest.time_to_live if newest else timedelta(0),
        earlier=snapshot.ledger.kept(snapshot.now, snapshot.fingerprint),
        number=max(snapshot.claim_number, above) + 1,
        host=origin.host if origin else newest.host if newest else None,
        grace=origin.grace if origin else newest.grace if newest else None,
        nonce=nonce,
        moved_to=to,
    )


def arrival(fence: Claim, *, nonce: str) -> Claim:
    """Give the first claim in the store that a fence names."""
    claim_id = claim_version_id(fence.claim_id)
    return replace(
        fence,
        claim_id=claim_id,
        version_id=claim_id,
        # The document that names the store is a version, too.
        versions=1 + (fence.moved_to == IN_VERSIONS),
        earlier=fence.ledger.attempts,
        number=fence.number + 1,
        nonce=nonce,
    )
