"""Received tokens that Secrets Manager refused: the claim table keeps them, encrypted, until it takes them."""

from token_refresh.records import record
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.versions import staged_version_id


@record
class KeptTokens:
    """What the claim table's item keeps beside its claim."""

    claim: Claim
    """The claim that the tokens were received under: the item's own."""
    stored: object
    """The attribute as it was read: a write that depends on it names it whole. Only ciphertext."""

    @property
    def version_id(self) -> str:
        """The version ID under which the tokens belong into the secret."""
        return staged_version_id(self.claim.claim_id, self.claim.version_id)
