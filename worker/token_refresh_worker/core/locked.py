"""Claims that KMS refuses to decrypt: what version IDs and dates alone prove about them.

A change of a secret's key encrypts three labelled versions anew; claims and older token sets stay under the old key. If
that is refused, nobody can read a claim any more. But all claims form one chain of derived IDs, and the tokens that a
claim brought are stored under an ID that follows from the claim and its base. So the list of IDs is a ledger.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from token_refresh_worker.core.attempts import (
    NO_TOKEN,
    Attempt,
    Fate,
    Ledger,
    fingerprint_of,
    missing_attempts,
    stand_in,
)
from token_refresh_worker.core.claims import LONGEST_TIME_TO_LIVE, Claim
from token_refresh_worker.core.snapshot import TokenSet
from token_refresh_worker.core.versions import (
    claim_version_id,
    record_version_id,
    response_version_id,
    staged_version_id,
)

LONGEST_EXCHANGE: Final = timedelta(minutes=2)
"""How long after its request the response of an authorization is stored at most."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VersionEntry:
    """One version of a secret, as `ListSecretVersionIds` gives it: whether it can be decrypted or not."""

    version_id: str
    labels: frozenset[str]
    created_at: datetime
    keys: tuple[str, ...] = ()
    """The KMS keys that encrypt it, if the service says so."""


def translated(ledger: Ledger, current: TokenSet) -> Ledger:
    """Return a ledger that knows the current token by its fingerprint, where it had a stand-in for it."""
    stand_ins = {stand_in(version_id) for version_id in (current.version_id, _claim_of(current)) if version_id}
    if not any({a.fingerprint, a.next_fingerprint} & stand_ins for a in ledger.attempts):
        return ledger
    fingerprint = fingerprint_of(current.document.redeemed_token)

    def known(text: str | None) -> str | None:
        return fingerprint if text in stand_ins else text

    return Ledger(
        tuple(
            replace(a, fingerprint=known(a.fingerprint) or NO_TOKEN, next_fingerprint=known(a.next_fingerprint))
            for a in ledger.attempts
        )
    )


def chain_of(listed: Iterable[VersionEntry], claim_id: str) -> list[str]:
    """Return the listed claims before and after a claim, oldest first: the IDs of all claims form one chain."""
    known = {version.version_id for version in listed}
    before = {claim_version_id(version_id): version_id for version_id in known}
    chain = [claim_id]
    while chain[0] in before:
        chain.insert(0, before[chain[0]])
    while claim_version_id(chain[-1]) in known:
        chain.append(claim_version_id(chain[-1]))
    return chain


def worth_reading(listed: Sequence[VersionEntry], chain: Sequence[str]) -> set[str]:
    """Return the versions whose tokens nothing but themselves tells: those with a label, and bases that somebody saved.

    A change of the key encrypts versions with a label anew.
    """
    known = {version.version_id for version in listed}
    staged = {claim_id: _staged(claim_id, known) for claim_id in chain}
    bases = {base for found in staged.values() for base in found}
    brought = {version_id for found in staged.values() for version_id in found.values()}
    return {version.version_id for version in listed if version.labels} | (bases - brought)


def rebuilt_claim(
    listed: Sequence[VersionEntry], chain: Sequence[str], current: TokenSet, readable: Iterable[TokenSet]
) -> Claim:
    """Rebuild the last claim of a chain, and its ledger, none of which can be read.

    A claim brought tokens if a listed version is the one in which they are staged. Otherwise it is an attempt without a
    result: on the current token if that is older, else on one that nobody knows.

    Args:
        listed: All versions of the secret.
        chain: The listed claims, oldest first.
        current: The current token set.
        readable: Other token sets that can be read.
    """
    return _Rebuilt(
        dates={version.version_id: version.created_at for version in sorted(listed, key=lambda v: v.created_at)},
        chain=tuple(chain),
        current=current,
        sets={token_set.version_id: token_set for token_set in (*readable, current)},
    ).claim()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Rebuilt:
    dates: Mapping[str, datetime]
    """When each listed version was stored, oldest first."""
    chain: tuple[str, ...]
    current: TokenSet
    sets: Mapping[str, TokenSet]

    def claim(self) -> Claim:
        tokens = self._tokens()
        attempts = [self._attempt(claim_id, tokens) for claim_id in self.chain]
        if self.chain[0] != claim_version_id(None):
            attempts.insert(0, missing_attempts(self.chain[0]))
        newest, origins = attempts[-1], [s.document.origin for s in self.sets.values() if s.document.origin]
        origin = max(origins, key=lambda origin: origin.number, default=None)
        return Claim(
            claim_id=newest.claim_id,
            version_id=newest.version_id,
            attempt_number=newest.attempt_number,
            claimed_at=newest.claimed_at,
            fingerprint=newest.fingerprint,
            fate=newest.fate,
            next_fingerprint=newest.next_fingerprint,
            time_to_live=LONGEST_TIME_TO_LIVE,
            earlier=tuple(attempts[:-1]),
            number=self._number(),
            host=origin.host if origin else None,
            grace=origin.grace if origin else None,
            nonce="locked",
        )

    def _tokens(self) -> dict[str, str]:
        """Return the fingerprint of what each version and each claim brought, or what stands for it."""
        tokens = {version_id: stand_in(version_id) for version_id in self.dates}
        tokens |= {v: fingerprint_of(s.document.redeemed_token) for v, s in self.sets.items()}
        for claim_id in self.chain:
            staged = list(_staged(claim_id, self.dates).values())
            known = [tokens[version_id] for version_id in staged if version_id in self.sets]
            named = [tokens[self.current.version_id]] if _claim_of(self.current) == claim_id else []
            tokens[claim_id] = (*known, *named, stand_in(claim_id))[0]
            tokens |= dict.fromkeys(staged, tokens[claim_id])
        return tokens

    def _attempt(self, claim_id: str, tokens: Mapping[str, str]) -> Attempt:
        base, named = next(iter(_staged(claim_id, self.dates)), None), _claim_of(self.current) == claim_id
        if base is None and not named and self._may_be_on_current(claim_id, tokens):
            return self._made(claim_id, self.current.version_id, tokens[self.current.version_id])
        brought = tokens[claim_id] if base is not None or named else None
        return self._made(claim_id, base or claim_id, tokens[base] if base else NO_TOKEN, brought)

    def _may_be_on_current(self, claim_id: str, tokens: Mapping[str, str]) -> bool:
        """Whether a claim without a result may be on the current token: nothing shows that a newer one was there."""
        issued_at = min(self.current.document.issued_at or self.current.stored_at, self.current.stored_at)
        # Dates are whole seconds: in a tie, the consent wins.
        if self.dates[claim_id] <= self.current.stored_at and self._is_first(issued_at):
            return False
        # In whole seconds, the current tokens may look older than the claim that brought them.
        others = (c for c in self.chain[: self.chain.index(claim_id)] if tokens[c] != tokens[self.current.version_id])
        newer = any(self.dates[other] >= issued_at and _staged(other, self.dates) for other in others)
        return self.dates[claim_id] > issued_at and not newer

    def _is_first(self, issued_at: datetime) -> bool:
        """Whether the current version is the first with its tokens: those of an authorization, stored soon after it."""
        origin, stored_at = self.current.document.origin, self.current.stored_at
        if origin is None or not origin.authorized or stored_at - issued_at > LONGEST_EXCHANGE:
            return False
        ours = {*self.chain, *map(record_version_id, self.chain), *map(response_version_id, self.chain)}
        return not any(issued_at <= date < stored_at for v, date in self.dates.items() if v not in ours)

    def _made(self, claim_id: str, version_id: str, fingerprint: str, brought: str | None = None) -> Attempt:
        return Attempt(
            claim_id=claim_id,
            version_id=version_id,
            attempt_number=1,
            claimed_at=self.dates[claim_id],
            fingerprint=fingerprint,
            fate=Fate.STORED if brought else Fate.NO_RESULT,
            next_fingerprint=brought,
        )

    def _number(self) -> int:
        """Count from the claims that readable sets name: the number of a claim only grows."""
        last, number = len(self.chain) - 1, len(self.chain)
        for token_set in self.sets.values():
            origin = token_set.document.origin
            if origin is None or origin.claim_id is None:
                continue
            if origin.claim_id in self.chain:
                number = max(number, origin.number + last - self.chain.index(origin.claim_id))
            elif (token_set.document.issued_at or token_set.stored_at) < self.dates[self.chain[0]]:
                number = max(number, origin.number + len(self.chain))
        return number


def _staged(claim_id: str, known: Collection[str]) -> dict[str, str]:
    """Return the token sets that a claim brought, by the version that each was stored on top of."""
    found = {base: staged_version_id(claim_id, base) for base in known}
    return {base: staged for base, staged in found.items() if staged in known}


def _claim_of(current: TokenSet) -> str | None:
    """Return the claim that brought the current tokens, by what they say; who authorizes only keeps the newest one."""
    origin = current.document.origin
    return origin.claim_id if origin is not None and not origin.authorized else None
