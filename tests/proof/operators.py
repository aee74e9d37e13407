"""What a person may do to the secret at any moment, besides the workers."""

import json
from typing import Final, NamedTuple

from proof.providers import Provider, first_document
from proof.store import TOKENS, Move, Put, Store, StoreCall
from proof.world import EPOCH_SECONDS, LIFETIME_SECONDS
from token_refresh.core.versions import CLAIM, CURRENT, PENDING

PREVIOUS: Final = "AWSPREVIOUS"

REAUTHORIZE: Final = "re-authorize"
EDIT: Final = "save an edited copy"
EDIT_PREVIOUS: Final = "save an edited copy of AWSPREVIOUS"
MOVE_BACK: Final = "move AWSCURRENT back"
UNLABEL: Final = "take REFRESH_CLAIM off"
STAGE: Final = "stage a foreign AWSPENDING"


class Action(NamedTuple):
    """One action."""

    name: str
    call: StoreCall
    provider: Provider


def operator_version(serial: int) -> str:
    """Give the ID of a version that the operator stores."""
    return f"operator-{serial}-".ljust(36, "0")


def actions(
    allowed: tuple[str, ...], *, store: Store, state: int, provider: Provider, serial: int, now: int
) -> list[Action]:
    """Give what the operator may do in this state."""
    labels, versions = store.labels(state, TOKENS), store.secret(state, TOKENS)
    version_id, found = operator_version(serial), []
    current, previous = labels[CURRENT], labels.get(PREVIOUS)
    for name in allowed:
        match name:
            case "re-authorize":
                after, refresh_token = provider.authorize()
                expires_at = max(now, EPOCH_SECONDS) + LIFETIME_SECONDS
                document = first_document(refresh_token.replace("r", "a"), refresh_token, expires_at)
                found.append(Action(name, Put(TOKENS, version_id, json.dumps(document), ""), after))
            case "save an edited copy":
                found.append(Action(name, _copy(version_id, versions[current]), provider))
            case "save an edited copy of AWSPREVIOUS" if previous:
                found.append(Action(name, _copy(version_id, versions[previous]), provider))
            case "move AWSCURRENT back" if previous:
                found.append(Action(name, Move(TOKENS, CURRENT, previous, current), provider))
            case "take REFRESH_CLAIM off" if CLAIM in labels:
                found.append(Action(name, Move(TOKENS, CLAIM, None, labels[CLAIM]), provider))
            case "stage a foreign AWSPENDING":
                document = {**json.loads(versions[current]), "refreshToken": "r9.0"}
                found.append(Action(name, Put(TOKENS, version_id, json.dumps(document), PENDING), provider))
            case _:
                pass
    return found


def _copy(version_id: str, text: str) -> Put:
    return Put(TOKENS, version_id, json.dumps({**json.loads(text), "note": f"edited {version_id[:10]}"}), "")
