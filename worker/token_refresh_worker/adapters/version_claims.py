"""Claims as versions of the token secret itself; implements the port `ClaimStore`."""

from functools import partial

from token_refresh.errors import SecretAccessDenied
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core import claims
from token_refresh_worker.core.versions import CLAIM, OUTCOME, record_version_id
from token_refresh_worker.run.ports import IgnoreKmsRefusals, NewestClaim, SecretStore, SecretVersion
from token_refresh_worker.stored.origin import checked_form


class VersionClaims:
    """A claim's version ID is derived from the claim before it, so only one run can append after any claim."""

    def __init__(self, secret: SecretStore) -> None:
        self._secret = secret

    def newest(self) -> NewestClaim:
        """Read what the label is on; something else than a claim counts as no label."""
        try:
            version = self._secret.read(label=CLAIM)
        except SecretAccessDenied as error:
            if not error.by_key:
                raise
            return NewestClaim(claim=None, locked=error)
        if version is None:
            return NewestClaim(claim=None)
        found = _claim_in(version)
        return NewestClaim(claim=found if found.nonce else None, read_at=version.read_at)

    def find(self, claim_id: str) -> claims.Claim | None:
        """Read the claim with this ID."""
        version = self._secret.read(version_id=claim_id)
        return None if version is None else _claim_in(version)

    def record_of(self, claim_id: str) -> claims.Record | None:
        """Read the record under the ID that follows from the claim."""
        version = None
        with IgnoreKmsRefusals():
            version = self._secret.read(version_id=record_version_id(claim_id))
        return claims.read_record(version.value) if version and version.value else None

    def append(self, claim: claims.Claim, *, after: str | None, kept_tokens: claims.KeptTokens | None = None) -> bool:
        """Store the claim under the ID that follows from `after`."""
        del after, kept_tokens  # The claim's ID is derived from the one before, and nothing is kept in the secret.
        return self._secret.put(claim.claim_id, claims.write_claim(claim), label=CLAIM)

    def store_record(self, claim: claims.Claim, record: claims.Record) -> None:
        """Store the record under the ID that follows from the claim."""
        self._secret.put(record_version_id(claim.claim_id), claims.write_record(record), label=OUTCOME)


def _claim_in(version: SecretVersion) -> claims.Claim:
    # Aged by when the service stored it: a time that the claim itself names could be wrong.
    read = partial(claims.read_claim, version.version_id, version.value or SecretValue(""), version.created_at)
    found = checked_form(read, f"claim {version.version_id} on secret {version.arn}")
    return found or claims.unreadable_claim(version.version_id, version.created_at)
