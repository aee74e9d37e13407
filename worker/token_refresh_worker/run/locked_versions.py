"""Versions of a secret that KMS refuses to decrypt: the list of their IDs takes the place of what they say."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

from token_refresh.errors import InvalidSecretDocument, SecretAccessDenied, SecretStoreError
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.locked import chain_of, rebuilt_claim, worth_reading
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.versions import CLAIM, OUTCOME
from token_refresh_worker.run.failures import version_locked
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import IgnoreKmsRefusals, RunDependencies, SecretVersion


def tokens_locked(parts: RunDependencies, version_id: str) -> SecretAccessDenied:
    """Say that stored tokens can't be decrypted, and that nothing else may be sent."""
    keys: tuple[str, ...] = ()
    with suppress(SecretStoreError):
        keys = next((v.keys for v in parts.store.versions() if v.version_id == version_id), ())
    what = f"the tokens of {parts.secret} that follow the current ones are"
    error = version_locked(parts.secret, version_id, OUTCOME, keys, what=what)
    error.why = "the current refresh token is used up or dead, so nothing was sent"
    return error


def newest_locked_claim(  # noqa: PLR0913 - what is known, and how to read a version
    parts: RunDependencies,
    memory: Memory,
    current: TokenSet,
    claim_id: str | None,
    *,
    token_set: Callable[[SecretVersion], TokenSet],
    now: datetime,
) -> Claim | None:
    """Return the newest claim of the chain that a claim is in, by default the labelled one; None if none is listed.

    None too while the list may be older than the document: it lacks the claim that the document names. Where KMS
    refuses the newest claim, `memory` keeps its entry.

    Raises:
        SecretAccessDenied: The versions may not be listed: the error names the claim all the same.
        SecretStoreError: They can't be listed now.
    """
    try:
        listed = parts.store.versions()
    except SecretAccessDenied:
        what = f"the newest claim on {parts.secret} is"
        raise version_locked(parts.secret, claim_id, CLAIM, (), what=what) from None
    seed = claim_id or next((v.version_id for v in listed if CLAIM in v.labels), None)
    known, origin = {version.version_id for version in listed}, current.document.origin
    named = origin.claim_id if origin else None
    if seed not in known or (named not in {None, *known} and now < current.stored_at + SETTLED):
        return None
    chain = chain_of(listed, seed)
    with IgnoreKmsRefusals():  # The label may be behind.
        return parts.claims.find(chain[-1])
    memory.locked_claim = next(version for version in listed if version.version_id == chain[-1])

    def readable() -> Iterator[TokenSet]:
        for version_id in sorted(worth_reading(listed, chain) - {current.version_id, *chain}):
            with IgnoreKmsRefusals(), suppress(InvalidSecretDocument):
                found = parts.store.read(version_id=version_id)
                if found is not None:
                    yield token_set(found)

    return rebuilt_claim(listed, chain, current, readable())
