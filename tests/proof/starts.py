"""What is stored when a search begins: a token set that a person saved by hand, without the key `tokenRefresh`."""

import json
from typing import Final

from proof.providers import first_document
from proof.store import PUBLISHED, TOKENS, Store
from proof.world import DAY_SECONDS, EPOCH_SECONDS, HOUR_SECONDS, Scenario
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.versions import published_version_id
from token_refresh_worker.stored.document import read_document
from token_refresh_worker.stored.published import published_document

FIRST_VERSION: Final = "00000000-0000-4000-8000-000000000000"


def create(scenario: Scenario, store: Store) -> int:
    """Store the first token set."""
    expires_at = EPOCH_SECONDS + scenario.due_seconds
    document = first_document("a0.0", "r0.0", expires_at, scenario.lifetime_seconds)
    if scenario.first_expiry != "true":
        document = {key: value for key, value in document.items() if key not in {"expiresAt", "issuedAt"}}
    if scenario.first_expiry == "doubted":
        document["expiresAt"] = (expires_at + 100 * DAY_SECONDS) * 1000
    text = json.dumps(document)
    documents: dict[str, tuple[str, str] | None] = {TOKENS: (FIRST_VERSION, text)}
    if scenario.published:
        copy = published_document(read_document(SecretValue(text), needs_refresh_token=True), FIRST_VERSION).reveal()
        documents[PUBLISHED] = (published_version_id(FIRST_VERSION), copy)
    # Not before the tokens were issued: an expiry of more than two lifetimes later would be doubted.
    stored_at = max(EPOCH_SECONDS - HOUR_SECONDS, expires_at - scenario.lifetime_seconds)
    return store.create(documents, at=stored_at)
