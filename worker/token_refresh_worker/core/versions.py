"""The labels of a token secret's versions, and the version IDs that are derived instead of random.

`PutSecretValue` refuses a version ID that is taken by another value. So a version ID that is derived from what a run
has read is a compare-and-append: exactly one run gets it.

    current version ──redeemed under──> claim ──> staged set       (REFRESH_OUTCOME, then AWSCURRENT)
                                          │  ├──> record           (REFRESH_OUTCOME)
                                          │  └──> unread response  (REFRESH_OUTCOME)
                                          └─────> next claim       (REFRESH_CLAIM)
"""

import uuid
from datetime import date
from typing import Final

from token_refresh.secret_value import SecretValue

CURRENT: Final = "AWSCURRENT"
PREVIOUS: Final = "AWSPREVIOUS"
CLAIM: Final = "REFRESH_CLAIM"
OUTCOME: Final = "REFRESH_OUTCOME"
REDIRECT_NOTE: Final = "an authorization's redirect was taken"
"""How the version begins that says so; no JSON, so that nothing of it gets into a token document."""

# Never change it: with another one a run would not find the claims of earlier runs.
_NAMESPACE: Final = uuid.UUID("6a1ba9c2-31e7-4f2b-9d0c-0f1b2ba3d6c5")


def claim_version_id(predecessor: str | None) -> str:
    """Derive the claim that follows `predecessor`; the first follows a fixed root, so all claims form one chain."""
    return _derive("claim", predecessor or "root")


def staged_version_id(claim: str, base: str) -> str:
    """Derive where the tokens received under `claim` are staged, on top of the token document in version `base`."""
    return _derive("staged", claim, base)


def record_version_id(claim: str) -> str:
    """Derive where it is recorded that the attempt under `claim` ended without tokens."""
    return _derive("outcome", claim)


def response_version_id(claim: str) -> str:
    """Derive where a response that arrived under `claim` and can't be read is kept."""
    return _derive("response", claim)


def published_version_id(source: str) -> str:
    """Derive the version of the published secret that shows the token set in version `source`."""
    return _derive("published", source)


def moved_version_id(arrival: str, base: str) -> str:
    """Derive where the token document in version `base` is stored again, to name the store that `arrival` is in."""
    return _derive("moved", arrival, base)


def revoked_version_id(claim: str, base: str) -> str:
    """Derive where it is stored that the grant in version `base` was revoked under `claim`."""
    return _derive("revoked", claim, base)


def redirect_version_id(state: str) -> str:
    """Derive where it is noted that somebody has taken the redirect of an authorization, whose code is good once."""
    return _derive("redirect", state)


def redirect_place_id(day: date, place: int) -> str:
    """Derive one of the places that the redirects of a day share."""
    return _derive("place", day.isoformat(), str(place))


def is_redirect_note(value: SecretValue | None) -> bool:
    """Whether a value is that note. In a secret without tokens it is the current version."""
    return value is not None and value.reveal().startswith(REDIRECT_NOTE)


def unheld_claim_id(nonce: str) -> str:
    """Return the ID of a claim that nobody holds; the nonce is random, and so no chain leads there."""
    return _derive("unheld", nonce)


def _derive(role: str, *version_ids: str) -> str:
    # A UUID fits `ClientRequestToken` (32 to 64 characters), and no version ID has a slash.
    return str(uuid.uuid5(_NAMESPACE, "/".join((role, *version_ids))))
