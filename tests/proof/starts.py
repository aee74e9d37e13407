"""What is stored when a search begins.

by hand        a token set that a person stored, without the key `tokenRefresh`
authorized     a token set that `token-refresh authorize` stored
v1 ...         what version 1 of the protocol left behind: a claim that is open or ended, tokens that were staged
under it or made current, or a record of each kind
"""

import json
from typing import Final, NamedTuple

from proof.providers import Provider, first_document
from proof.store import PUBLISHED, TOKENS, Move, Put, Store
from proof.world import CLAIM_SECONDS, EPOCH_SECONDS, HOST, Scenario
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.versions import (
    claim_version_id,
    published_version_id,
    record_version_id,
    staged_version_id,
)
from token_refresh_worker.stored.document import read_document
from token_refresh_worker.stored.published import published_document

FIRST_VERSION: Final = "00000000-0000-4000-8000-000000000000"
V1_STARTS: Final = (
    "v1 open",
    "v1 ended",
    "v1 staged",
    "v1 promoted",
    "v1 not_redeemed",
    "v1 rejected",
    "v1 unknown",
)
_V1_CLAIM: Final = claim_version_id(None)
_PENDING: Final = "AWSPENDING"


def origin(scenario: Scenario) -> dict[str, object]:
    """Give the key that `token-refresh authorize` writes."""
    return {"host": HOST, "grace_seconds": scenario.grace_seconds, "store": scenario.claims}


class Start(NamedTuple):
    """The stored state, what the provider knows, and what went wrong before."""

    state: int
    provider: Provider
    lost: int = 0
    unknown: bool = False


def create(scenario: Scenario, store: Store) -> Start:
    """Store the first token set, and what version 1 left behind."""
    document = first_document("a0.0", "r0.0", EPOCH_SECONDS + scenario.due_seconds)
    if scenario.start == "authorized":
        document["tokenRefresh"] = origin(scenario)
    text = json.dumps(document)
    documents: dict[str, tuple[str, str] | None] = {TOKENS: (FIRST_VERSION, text)}
    if scenario.published:
        copy = published_document(read_document(SecretValue(text)), FIRST_VERSION).reveal()
        documents[PUBLISHED] = (published_version_id(FIRST_VERSION), copy)
    state, provider = store.create(documents), Provider(scenario.provider)
    if scenario.start.startswith("v1 "):
        return _version_1(scenario.start.removeprefix("v1 "), store, state, provider)
    return Start(state, provider)


def _version_1(left: str, store: Store, state: int, provider: Provider) -> Start:
    at = EPOCH_SECONDS - (10 if left == "open" else CLAIM_SECONDS + 100)
    claim = {"version_id": FIRST_VERSION, "attempt": 1, "ttl_seconds": CLAIM_SECONDS, "nonce": "v1", "earlier": []}
    calls: list[Put | Move] = [Put(TOKENS, _V1_CLAIM, json.dumps(claim), "REFRESH_CLAIM")]
    if left in {"staged", "promoted"}:
        provider, response, _ = provider.redeem("r0.0", at)
        access = getattr(response, "access_token", SecretValue("")).reveal()
        fresh = getattr(response, "refresh_token", None)
        document = first_document(access, fresh.reveal() if fresh else "r0.0", at + 86_400)
        staged = staged_version_id(_V1_CLAIM, FIRST_VERSION)
        calls.append(Put(TOKENS, staged, json.dumps(document), _PENDING))
        if left == "promoted":
            calls.append(Move(TOKENS, "AWSCURRENT", staged, FIRST_VERSION))
    elif left in {"not_redeemed", "rejected", "unknown"}:
        if left == "unknown":  # the worst case: the provider redeemed, and the response was lost
            provider, _, _ = provider.redeem("r0.0", at)
        error = "invalid_grant" if left == "rejected" else None
        record = {"version_id": FIRST_VERSION, "attempt": 1, "outcome": left, "error": error, "at": at}
        calls.append(Put(TOKENS, record_version_id(_V1_CLAIM), json.dumps(record), "REFRESH_OUTCOME"))
    for call in calls:
        state, _ = store.call(state, call, at)
    return Start(state, provider, lost=int(left == "unknown"), unknown=left in {"open", "ended", "unknown"})
