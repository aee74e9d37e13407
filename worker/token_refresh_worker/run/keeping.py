"""Keep received tokens that Secrets Manager refuses in the claim table, and store them once it takes them."""

from dataclasses import dataclass
from typing import Final

from token_refresh import errors
from token_refresh.advice import Advice
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Fate, fingerprint_of
from token_refresh_worker.core.claims import Claim, KeptTokens, Record
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.steps import StoreKeptTokens
from token_refresh_worker.core.versions import OUTCOME, response_version_id
from token_refresh_worker.oauth.unread import read_unread
from token_refresh_worker.run.failures import SecretName, not_stored
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import RunDependencies
from token_refresh_worker.stored.document import TokenDocument, read_document

_NAME_THE_KEY: Final = (
    "Set KEPT_TOKENS_KEY_ID to the key that encrypted them (on the command line, --function NAME takes the function's "
    "settings)"
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keeping:
    """What a run does with tokens that the claim table keeps."""

    parts: RunDependencies
    memory: Memory

    def keep(self, claim: Claim, tokens: SecretValue) -> KeptTokens | str:
        """Keep received tokens; say why they can't be kept."""
        keeper = self.parts.keeper
        if keeper is None:
            return "there is no key (KEPT_TOKENS_KEY_ID) with which the claim table could keep them"
        try:
            kept = keeper.keep(claim, tokens)
        except Exception as error:  # noqa: BLE001 - whatever it is, the put must be repeated
            why = error.facts if isinstance(error, errors.TokenRefreshError) else errors.raised_at(error)
            return f"the claim table could not keep them: {why}"
        if kept is None:
            return "the claim table could not keep them: it has a newer claim"
        self.parts.log.warning("tokens_kept", claim_id=claim.claim_id)
        return kept

    def store(self, step: StoreKeptTokens) -> None:
        """Store refused tokens under their own version ID, and forget them.

        Raises:
            TokenRefreshError: They can't be stored, and no new grant has replaced them; or KMS can't be reached. Where
                it refuses, `memory` keeps the error: the provider may accept their refresh token again.
        """
        kept = step.kept_tokens
        try:
            self._store(kept)
        except errors.TokenRefreshError as failure:
            # Where KMS refuses, the rules decide: the provider may accept the token again. An outage passes.
            if step.needed and kept.version_id not in self.memory.kept_tokens_locked:
                raise
            self.memory.kept_tokens_left.add(kept.version_id)
            self.parts.log.warning("kept_tokens_left", claim_id=kept.claim.claim_id, error_type=type(failure).__name__)

    def forget(self, kept: KeptTokens, document: TokenDocument) -> None:
        """Remove tokens that are stored by now from the table; if that fails, the next append does."""
        assert self.parts.keeper is not None  # noqa: S101 - it encrypted or decrypted them
        # The claim may have ended long ago: to a read that doesn't show the tokens yet, its token must not look unused,
        # nor the tokens lost.
        now, brought = self.memory.service_now(), fingerprint_of(document.redeemed_token)
        record = Record(fate=Fate.STORED, retry_at=now + SETTLED, next_fingerprint=brought)
        try:
            self.parts.claims.store_record(kept.claim, record)
            self.parts.keeper.drop(kept)
        except errors.TokenRefreshError as failure:
            self.parts.log.warning(
                "kept_tokens_not_removed", claim_id=kept.claim.claim_id, error_type=type(failure).__name__
            )

    def _store(self, kept: KeptTokens) -> None:
        text, document = self._opened(kept)
        version_id = kept.version_id if document else response_version_id(kept.claim.claim_id)
        try:
            # The very text that was received: a late put of the run that kept it must find its own value.
            stored = self.parts.store.put(version_id, text, label=OUTCOME)
        except errors.TokenRefreshError as failure:
            raise tokens_kept(self.parts.secret, failure) from None
        if not stored:
            raise not_stored(self.parts.secret, f"version {version_id} is taken by another value")
        if document is None:
            assert self.parts.keeper is not None  # noqa: S101 - it decrypted it
            self.parts.claims.store_record(kept.claim, Record(fate=Fate.UNREAD))
            self.parts.keeper.drop(kept)
            self.parts.log.warning("response_kept", claim_id=kept.claim.claim_id)
            return
        # Known from here on: the next read may be too old to show them.
        self.memory.note_staged(kept.version_id, document, received=False)
        self.parts.log.info("kept_tokens_stored", staged_version_id=kept.version_id)
        self.forget(kept, document)

    def _opened(self, kept: KeptTokens) -> tuple[SecretValue, TokenDocument | None]:
        keeper = self.parts.keeper
        if keeper is None:
            raise self._locked(kept, kept_tokens_unreadable(self.parts.secret, "KEPT_TOKENS_KEY_ID is not set"))
        try:
            text = keeper.open(kept)
            if read_unread(text) is not None:
                return text, None
            return text, read_document(text, needs_refresh_token=self.parts.provider.needs_refresh_token)
        except errors.TokenRefreshError as failure:
            unreadable = kept_tokens_unreadable(self.parts.secret, failure.facts, fix=failure.fix)
            unreadable.needs_person = failure.needs_person
            raise (self._locked(kept, unreadable) if failure.needs_person else unreadable) from None

    def _locked(self, kept: KeptTokens, unreadable: errors.KeptTokensUnreadable) -> errors.KeptTokensUnreadable:
        """Remember that KMS refuses, or that nothing says which key it is."""
        self.memory.kept_tokens_locked[kept.version_id] = unreadable
        return unreadable


def tokens_kept(secret: SecretName, failure: errors.TokenRefreshError) -> errors.TokensKept:
    """Say that received tokens wait in the claim table."""
    error = errors.TokensKept(
        f"new tokens for {secret} arrived, and Secrets Manager does not take them "
        f"({type(failure).__name__}: {failure.facts}). The claim table keeps them, encrypted; the next run stores them "
        "before it does anything else",
        fix=(*((*failure.fix, ". ") if failure.fix else ()), "To try now, run ", secret.command("refresh")),
    )
    error.needs_person = failure.needs_person
    return error


def kept_tokens_unreadable(secret: SecretName, why: str, *, fix: Advice = ()) -> errors.KeptTokensUnreadable:
    """Say that received tokens wait in the claim table, and that nobody can decrypt them."""
    return errors.KeptTokensUnreadable(
        f"the claim table keeps new tokens for {secret}, and they can't be decrypted ({why}); nothing was sent",
        fix=(
            *(fix or (_NAME_THE_KEY,)),
            ". The next run stores them. If the key is deleted, get a new grant with ",
            secret.authorize,
        ),
    )
