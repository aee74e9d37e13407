"""Claims in a DynamoDB table, one item per secret; implements the port `ClaimStore`.

The item's key is `secret_arn`. Its claim is in `claim_id`, `claim`, `claimed_at` and `claim_record`, and
tokens that Secrets Manager refused are in `kept_tokens`; other attributes of the item are left alone.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from token_refresh.advice import Command
from token_refresh.aws.responses import MalformedResponse, member, optional_member, service_time
from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.times import read_unix
from token_refresh_worker.adapters.calls import until
from token_refresh_worker.adapters.table import Table
from token_refresh_worker.core import claims
from token_refresh_worker.run.ports import Deadline, NewestClaim
from token_refresh_worker.stored.origin import checked_form, matching

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NO_KEPT_TOKENS: Final = "attribute_not_exists(kept_tokens)"


class TableClaims:
    """The claims on one secret: the table's item is compared and swapped, and reads are consistent."""

    def __init__(self, client: "DynamoDBClient", table: str, secret_arn: Callable[[], str], deadline: Deadline) -> None:
        self._table = Table(client, table, purpose=lambda: f"secret {secret_arn()}", repeat=until(deadline))
        self.secret_arn = secret_arn
        self._records: dict[str, claims.Record | None] = {}

    def newest(self) -> NewestClaim:
        """Read the item; what is no claim in it counts as one of an hour.

        Raises:
            InvalidSecretDocument: It does not say when that was claimed, or it keeps tokens that belong to it.
            ConfigurationError: A later release stored it, in a form that must not be misread.
        """
        # Consistent: an older read could miss another run's claim.
        item, read_at = self._table.call("GetItem", {"Key": self._key, "ConsistentRead": True}, _read_item)
        if "claim_id" not in item:
            return NewestClaim(claim=None, read_at=read_at)
        where = f"the claim on secret {self.secret_arn()} in table {self._table.name} in {self._table.region}"
        claim = checked_form(partial(_claim, item), where)
        if claim is None or ("kept_tokens" in item and not claim.nonce):
            line = "aws dynamodb delete-item --table-name {} --region {} --key {}"
            delete = Command.of(line, self._table.name, self._table.region, json.dumps(self._key))
            also = "; the item also keeps new tokens, which go with it" if "kept_tokens" in item else ""
            raise InvalidSecretDocument(
                f"{where} is unreadable{also}", fix=("wait an hour, then remove it with ", delete)
            )
        self._records = {claim.claim_id: _record(item)}
        kept = claims.KeptTokens(claim=claim, stored=item["kept_tokens"]) if "kept_tokens" in item else None
        return NewestClaim(claim=claim, read_at=read_at, kept_tokens=kept)

    def append(self, claim: claims.Claim, *, after: str | None, kept_tokens: claims.KeptTokens | None = None) -> bool:
        """Replace the claim `after`, or a missing one."""
        values: dict[str, Any] = {
            ":id": {"S": claim.claim_id},
            ":claim": {"S": claims.write_claim(claim).reveal()},
            ":at": {"N": str(claim.claimed_at.timestamp())},
        }
        if after is not None:
            values[":after"] = {"S": after}
        if kept_tokens is not None:
            values[":kept"] = kept_tokens.stored
        follows = "attribute_not_exists(claim_id)" if after is None else "claim_id = :after"
        read = _NO_KEPT_TOKENS if kept_tokens is None else "kept_tokens = :kept"
        # A repeat after a lost response finds its own claim, by the nonce. One that lands minutes late must not remove
        # what its run has written meanwhile.
        repeated = f"claim = :claim AND attribute_not_exists(claim_record) AND {_NO_KEPT_TOKENS}"
        return self._update(
            # Record and refused tokens belong to the claim that is replaced, so they go.
            "SET claim_id = :id, claim = :claim, claimed_at = :at REMOVE claim_record, kept_tokens",
            f"{follows} AND {read} OR {repeated}",
            values,
        )

    def find(self, claim_id: str) -> claims.Claim | None:
        """Read the item: its claim is the one that was asked for, or a newer one."""
        # A table has one claim: the newest.
        del claim_id
        return self.newest().claim

    def store_record(self, claim: claims.Claim, record: claims.Record) -> None:
        """Add the record to the item, unless there is one, or a newer claim."""
        self._update(
            "SET claim_record = :record",
            "claim_id = :id AND attribute_not_exists(claim_record)",
            {":id": {"S": claim.claim_id}, ":record": {"S": claims.write_record(record).reveal()}},
        )

    def record_of(self, claim_id: str) -> claims.Record | None:
        """Return the record that came with the newest claim."""
        return self._records.get(claim_id)

    def keep(self, kept: claims.KeptTokens) -> bool:
        """Add received tokens to the item; False if it has another claim, or keeps something else."""
        return self._update(
            "SET kept_tokens = :kept",
            f"claim_id = :id AND {_NO_KEPT_TOKENS} OR claim_id = :id AND kept_tokens = :kept",
            {":id": {"S": kept.claim.claim_id}, ":kept": kept.stored},
        )

    def drop(self, kept: claims.KeptTokens) -> None:
        """Remove refused tokens from the item, unless it keeps something else by now."""
        self._update("REMOVE kept_tokens", "kept_tokens = :kept", {":kept": kept.stored})

    def _update(self, update: str, condition: str, values: Mapping[str, Any]) -> bool:
        what = {
            "Key": self._key,
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
        }
        # The response shows what was stored: one without it proves nothing, and nothing is redeemed on it.
        return self._table.write("UpdateItem", what, lambda response: member(response, "Attributes", dict))

    @property
    def _key(self) -> dict[str, dict[str, str]]:
        return {"secret_arn": {"S": self.secret_arn()}}


def _read_item(response: Any) -> tuple[Mapping[str, Any], datetime]:
    return optional_member(response, "Item", dict) or {}, service_time(response)


def _claim(item: Mapping[str, Any]) -> claims.Claim | None:
    try:
        claim_id = matching(claims.CLAIM_ID, _attribute(item, "claim_id"))
        claimed_at = read_unix(float(_attribute(item, "claimed_at", "N")))
    except (MalformedResponse, TypeError, ValueError):
        return None
    with suppress(MalformedResponse):
        found = claims.read_claim(claim_id, SecretValue(_attribute(item, "claim")), claimed_at)
        return found or claims.unreadable_claim(claim_id, claimed_at)
    return claims.unreadable_claim(claim_id, claimed_at)


def _record(item: Mapping[str, Any]) -> claims.Record | None:
    # Damaged, it counts as none: then the claim ends with its time to live.
    try:
        return claims.read_record(SecretValue(_attribute(item, "claim_record")))
    except MalformedResponse:
        return None


def _attribute(item: Mapping[str, Any], name: str, kind: str = "S") -> str:
    return member(member(item, name, dict), kind, str)
