"""Received tokens in the claim table's item, encrypted by AWS KMS; implements the port `TokenKeeper`.

KMS encrypts at most 4,096 bytes a call, so a document is kept in pieces. The encryption context binds each of them to
its secret, its claim and its place, so that nobody who writes to the table can exchange, move or leave out one.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import call
from token_refresh.aws.clients import MakeClient
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import member
from token_refresh.errors import DeadlineExceeded, InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.calls import until
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.core.claims import Claim, KeptTokens
from token_refresh_worker.run.ports import Deadline
from token_refresh_worker.run.settings import Variable

T = TypeVar("T")

PIECE_BYTES: Final = 4_096
"""What `Encrypt` takes (https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html)."""


class TableKeeper:
    """What a claim table keeps of one secret, under one KMS key, by its ARN."""

    def __init__(self, claims: TableClaims, key_id: str, client: MakeClient, deadline: Deadline) -> None:
        self._claims = claims
        self._key_id = key_id
        self._client = client
        self._deadline = deadline
        self._kept_tokens: KeptTokens | None = None

    def keep(self, claim: Claim, tokens: SecretValue) -> KeptTokens | None:
        """Encrypt the document and add it to the item; None if the item has another claim by now."""
        # A run redeems once, and a repeat after a lost response must find its own ciphertext.
        if self._kept_tokens is None:
            count = -(-len(tokens.reveal().encode()) // PIECE_BYTES)
            pieces = [{"B": self._encrypt(tokens, claim.claim_id, place, count)} for place in range(count)]
            self._kept_tokens = KeptTokens(claim=claim, stored={"L": pieces})
        return self._kept_tokens if self._claims.keep(self._kept_tokens) else None

    def open(self, kept: KeptTokens) -> SecretValue:
        """Decrypt the document."""
        pieces = kept.stored.get("L") if isinstance(kept.stored, dict) else None
        if not isinstance(pieces, list) or not pieces:
            raise InvalidSecretDocument("kept_tokens of the table's item is not a list of ciphertexts")
        opened = [self._decrypt(piece, kept.claim.claim_id, place, len(pieces)) for place, piece in enumerate(pieces)]
        return SecretValue("".join(piece.reveal() for piece in opened))

    def drop(self, kept: KeptTokens) -> None:
        """Remove the document from the item, unless something else is kept by now."""
        self._claims.drop(kept)

    def _encrypt(self, tokens: SecretValue, claim_id: str, place: int, count: int) -> bytes:
        def encrypt(kms: Any) -> bytes:
            piece = slice(place * PIECE_BYTES, (place + 1) * PIECE_BYTES)
            response = kms.encrypt(
                KeyId=self._key_id,
                Plaintext=tokens.reveal().encode()[piece],  # In no variable, which an error report might print.
                EncryptionContext=self._context(claim_id, place, count),
            )
            return member(response, "CiphertextBlob", bytes)

        return self._call("Encrypt", encrypt)

    def _decrypt(self, piece: Any, claim_id: str, place: int, count: int) -> SecretValue:
        def decrypt(kms: Any) -> SecretValue:
            blob, context = member(piece, "B", bytes), self._context(claim_id, place, count)
            response = kms.decrypt(KeyId=self._key_id, CiphertextBlob=blob, EncryptionContext=context)
            # A document is ASCII, so no piece ends within a character.
            return SecretValue(member(response, "Plaintext", bytes).decode("ascii"))

        return self._call("Decrypt", decrypt)

    def _context(self, claim_id: str, place: int, count: int) -> dict[str, str]:
        return {"secret": self._claims.secret_arn(), "claim": claim_id, "piece": f"{place + 1}/{count}"}

    def _call(self, action: str, ask: Callable[[Any], T]) -> T:
        # A document has up to 16 pieces: where KMS is slow, only the call that is under way may outlast the deadline.
        if self._deadline.remaining_seconds <= 0:
            raise DeadlineExceeded(f"no time was left for kms:{action} on key {self._key_id}")
        region = arn_region(self._key_id)
        return call(
            lambda: ask(self._client("kms", region=region)),
            lambda: AwsRequest(
                action=f"kms:{action}",
                name=self._key_id,
                region=region or "",
                kind="key",
                setting=Variable.KEPT_TOKENS_KEY_ID,
                purpose=f"tokens of secret {self._claims.secret_arn()}",
            ),
            repeat=until(self._deadline),
        )
