"""Runs that meet what is spoilt, left behind, moved by hand or refused, with secrets planted in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from races.world import CLIENT, TOKENS, World
from rig import script
from rig.secrets_limits import ServiceError
from secrecy.canaries import canary
from secrecy.scenarios import (
    IN_ANSWER,
    IN_ENVIRONMENT,
    IN_ERROR,
    IN_STORE,
    Prepare,
    Scenario,
    answered,
    interrupted,
    refused_by_store,
    stored,
    stored_text,
)
from token_refresh.core.versions import CLAIM, OUTCOME, PENDING, claim_version_id, record_version_id

if TYPE_CHECKING:
    from rig.secrets_faults import Call

FIRST_CLAIM = claim_version_id(None)


def labelled(label: str, version_id: str | None = None) -> Prepare:
    """Put an object that holds a secret, and is not what belongs there, under a label that the worker reads."""

    def prepare(world: World) -> None:
        what = {"ClientRequestToken": version_id or f"{canary():.32}", "SecretString": json.dumps({"note": IN_STORE})}
        world.store.call("PutSecretValue", {"SecretId": TOKENS, "VersionStages": [label], **what})

    return prepare


def client(**fields: object) -> Prepare:
    """Store client credentials of an odd form."""

    def prepare(world: World) -> None:
        what = {"ClientRequestToken": f"{canary():.32}", "SecretString": json.dumps(fields)}
        world.store.call("PutSecretValue", {"SecretId": CLIENT, **what})

    return prepare


def unlabelled_claim(world: World) -> None:
    """Leave a live claim, and take its label off, as someone might by hand."""
    interrupted("PutSecretValue", nth=2)(world)
    move = {"SecretId": TOKENS, "VersionStage": CLAIM, "RemoveFromVersionId": FIRST_CLAIM}
    world.store.call("UpdateSecretVersionStage", move)


def spoilt_record(world: World) -> None:
    """Leave a claim under which something else stands where its record should."""
    interrupted("PutSecretValue", nth=2)(world)
    labelled("ELSEWHERE", record_version_id(FIRST_CLAIM))(world)


def rejected_before(world: World) -> None:
    """Have the grant rejected by an earlier run, which remembers it."""
    answered(400, error="invalid_grant")(world)
    world.run()


def no_record(world: World) -> None:
    """Refuse to store how an attempt ended."""

    def refuse(call: Call) -> None:
        if call.version_stages == (OUTCOME,):
            raise ServiceError("AccessDeniedException", f"AccessDeniedException: {IN_ERROR}, {IN_STORE}")

    world.store.authorize = refuse
    answered(401, error="invalid_client")(world)


def second_move_denied(world: World) -> None:
    """Refuse to take AWSPENDING off the tokens that were just made current."""
    world.store.fault("deny", "UpdateSecretVersionStage", nth=2)


SPOILT = [
    Scenario(name="spoilt claim", ends="InvalidSecretDocument", prepare=labelled(CLAIM)),
    Scenario(name="spoilt record", ends="InvalidSecretDocument", prepare=spoilt_record),
    Scenario(name="foreign AWSPENDING", ends="refreshed", prepare=labelled(PENDING)),
    Scenario(name="claim without its label", ends="yielded", prepare=unlabelled_claim),
    Scenario(name="rejected before", ends="ReauthorizationRequired", prepare=rejected_before),
    Scenario(name="record refused", ends="ClientRejected", prepare=no_record),
    Scenario(
        name="pending label refused",
        ends="refreshed",
        prepare=second_move_denied,
    ),
    Scenario(
        name="not found", ends="SecretNotFound", prepare=refused_by_store("GetSecretValue", "ResourceNotFoundException")
    ),
    Scenario(
        name="marked for deletion",
        ends="SecretNotFound",
        prepare=refused_by_store("GetSecretValue", "InvalidRequestException", "marked for deletion"),
    ),
    Scenario(name="two client IDs", ends="InvalidSecretDocument", prepare=client(clientId=IN_STORE, client_id="other")),
    Scenario(name="client ID of a wrong type", ends="InvalidSecretDocument", prepare=client(clientId=[IN_STORE])),
    Scenario(name="no client ID", ends="InvalidSecretDocument", prepare=client(clientSecret=IN_STORE)),
    Scenario(name="a key of the other spelling", ends="InvalidSecretDocument", prepare=stored(access_token=IN_STORE)),
    Scenario(
        name="nested deep",
        ends="InvalidSecretDocument",
        prepare=stored_text(f'{{"{IN_STORE}":{"[" * 200}"{IN_STORE}"{"]" * 200}}}'),
    ),
    Scenario(
        name="refresh token of a wrong type",
        ends="InvalidTokenResponse",
        prepare=answered(200, access_token="new", refresh_token=[IN_ANSWER]),
    ),
    Scenario(name="access token that is empty", ends="InvalidTokenResponse", prepare=answered(200, access_token="")),
    Scenario(
        name="endpoint that can't be parsed",
        ends="ConfigurationError",
        environment={"TOKEN_ENDPOINT": f"https://[{IN_ENVIRONMENT}/"},
    ),
    Scenario(
        name="endpoint in the clear",
        ends="ConfigurationError",
        environment={"TOKEN_ENDPOINT": f"http://example.com/{IN_ENVIRONMENT}"},
    ),
    Scenario(
        name="cut short",
        ends="RefreshOutcomeUnknown",
        prepare=lambda world: world.endpoint.play(
            script.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"access_token": "' + IN_ANSWER.encode())
        ),
    ),
]
