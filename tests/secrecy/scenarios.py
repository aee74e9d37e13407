"""Every way in which a run ends, each with secrets planted wherever something is read."""

import json
from dataclasses import dataclass, field
from typing import Any

from secrecy.preparations import (
    IN_ENVIRONMENT,
    IN_ERROR,
    IN_EVENT,
    IN_HEADER,
    IN_RESPONSE,
    IN_STORE,
    Prepare,
    after_a_run,
    both,
    claim_label_lost,
    claim_spoilt,
    client_is,
    emptied,
    filled,
    interrupted,
    kept,
    key_refuses,
    pending_elsewhere,
    put,
    record_spoilt,
    refused_by_store,
    responded,
    saved_meanwhile,
    stage_taken,
    stored,
    stored_text,
    table_throttles,
)
from testbed.provider import script

SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run, and how it ends."""

    name: str
    ends: str
    prepare: Prepare
    event: Any = field(default_factory=lambda: SCHEDULED)
    environment: dict[str, str] = field(default_factory=dict)
    defect: str | None = None
    deadline_seconds: float = 60
    keeps: bool = False
    """Whether claims are in a table, which keeps tokens that Secrets Manager refuses."""


def ending(name: str, ends: str, prepare: Prepare = lambda _: None, **how: Any) -> Scenario:
    """Return one run, what it meets, and how it ends; `how` is what else a scenario has."""
    return Scenario(name=name, ends=ends, prepare=prepare, **how)


RAW = b"HTTP/1.1 200 " + IN_HEADER.encode() + b"\r\n\r\n<html>" + IN_RESPONSE.encode()

DEEP = "[" * 70 + json.dumps(IN_STORE) + "]" * 70

SCENARIOS = [
    ending("refreshed", "refreshed"),
    ending("forced", "refreshed", event={"force": True}),
    ending(
        "credentials beside the tokens",
        "ClientRejected",
        stored(clientId=IN_STORE, clientSecret=IN_STORE),
        environment={"CLIENT_SECRET_ID": ""},
    ),
    ending("credentials in the environment", "ClientRejected", environment={"CLIENT_SECRET_ID": ""}),
    ending("basic", "refreshed", environment={"TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_basic"}),
    ending("published", "refreshed", emptied, environment={"PUBLISHED_SECRET_ID": "empty"}),
    ending("dry run", "would_refresh", event={"dry_run": True}),
    ending("recovered", "recovered", interrupted("UpdateSecretVersionStage")),
    ending("yielded", "yielded", interrupted("PutSecretValue", nth=2)),
    ending("fresh", "fresh", stored(expiresAt=4000000000000)),
    ending("no such secret", "SecretNotFound", environment={"TOKEN_SECRET_ID": "missing"}),
    ending("empty secret", "SecretEmpty", emptied, environment={"TOKEN_SECRET_ID": "empty"}),
    ending("denied", "SecretAccessDenied", refused_by_store("GetSecretValue", "AccessDeniedException")),
    ending("claim denied", "SecretAccessDenied", refused_by_store("PutSecretValue", "DecryptionFailure")),
    ending(
        "promotion denied", "SecretAccessDenied", refused_by_store("UpdateSecretVersionStage", "AccessDeniedException")
    ),
    ending("store at a limit", "SecretStoreUnavailable", refused_by_store("PutSecretValue", "LimitExceededException")),
    ending(
        "store fails oddly",
        "SecretStoreUnavailable",
        refused_by_store("PutSecretValue", "MalformedPolicyDocumentException"),
    ),
    ending(
        "store throttles",
        "SecretStoreUnavailable",
        refused_by_store("GetSecretValue", "ThrottlingException"),
        deadline_seconds=6,
    ),
    ending("not found", "SecretNotFound", refused_by_store("GetSecretValue", "ResourceNotFoundException")),
    ending("being deleted", "SecretNotFound", refused_by_store("GetSecretValue", "InvalidRequestException")),
    ending(
        "tidying denied",
        "refreshed",
        refused_by_store("UpdateSecretVersionStage", "AccessDeniedException", label="AWSPENDING"),
    ),
    ending(
        "response kept",
        "ResponseKept",
        responded(200, data={"accessToken": IN_RESPONSE, IN_RESPONSE: IN_RESPONSE}),
        environment={"REPLAY_GRACE_SECONDS": "0"},
    ),
    ending(
        "response refused",
        "InvalidTokenResponse",
        both(
            responded(200, data={"accessToken": IN_RESPONSE}),
            refused_by_store("PutSecretValue", "AccessDeniedException", label="REFRESH_OUTCOME"),
        ),
        environment={"REPLAY_GRACE_SECONDS": "0"},
        deadline_seconds=25,
    ),
    ending(
        "record denied",
        "ClientRejected",
        both(
            responded(401, error="invalid_client"),
            refused_by_store("PutSecretValue", "AccessDeniedException", label="REFRESH_OUTCOME"),
        ),
    ),
    ending("pending is taken", "refreshed", pending_elsewhere),
    ending("saved meanwhile", "refreshed", saved_meanwhile),
    ending("claim without its label", "yielded", claim_label_lost),
    ending("claim that is none", "refreshed", claim_spoilt),
    ending("record that is none", "yielded", record_spoilt),
    ending("still rejected", "ReauthorizationRequired", after_a_run(responded(400, error="invalid_grant"))),
    ending(
        "still unknown",
        "RefreshOutcomeUnknown",
        after_a_run(lambda world: world.endpoint.play(script.close(commit=True))),
    ),
    ending("nested", "InvalidSecretDocument", stored(deep=json.loads(DEEP))),
    ending("mixed spellings", "InvalidSecretDocument", stored(expires_at=IN_STORE)),
    ending(
        "credentials that differ",
        "InvalidSecretDocument",
        stored(clientId="id", clientSecret=IN_STORE, client_secret=f"not {IN_STORE}"),
        environment={"CLIENT_SECRET_ID": ""},
    ),
    ending(
        "credentials of a wrong type",
        "InvalidSecretDocument",
        client_is(json.dumps({"clientId": "id", "clientSecret": [IN_STORE]})),
    ),
    ending("client secret alone", "InvalidSecretDocument", client_is(json.dumps({"clientSecret": IN_STORE}))),
    ending("not JSON", "InvalidSecretDocument", stored_text(f"refreshToken={IN_STORE}")),
    ending("cut off", "InvalidSecretDocument", stored_text(f'{{"refreshToken": "{IN_STORE}"')),
    ending("a list", "InvalidSecretDocument", stored_text(json.dumps([IN_STORE]))),
    ending("a string", "InvalidSecretDocument", stored_text(json.dumps(IN_STORE))),
    ending("binary", "InvalidSecretDocument", lambda world: put(world, SecretBinary=IN_STORE.encode())),
    ending("token of a wrong type", "InvalidSecretDocument", stored(refreshToken=[IN_STORE])),
    ending("expiry that is text", "InvalidSecretDocument", stored(expiresAt=IN_STORE)),
    ending("both spellings", "InvalidSecretDocument", stored(refresh_token=IN_STORE)),
    ending("client secret not JSON", "InvalidSecretDocument", client_is(f"clientSecret={IN_STORE}")),
    ending("no URL", "ConfigurationError", environment={"TOKEN_ENDPOINT": f"https://[{IN_ENVIRONMENT}"}),
    ending(
        "nobody responds",
        "TokenEndpointUnavailable",
        environment={"TOKEN_ENDPOINT": f"http://127.0.0.1:1/{IN_ENVIRONMENT}"},
    ),
    ending("level", "ConfigurationError", environment={"LOG_LEVEL": IN_ENVIRONMENT}),
    ending(
        "AWS endpoint",
        "ConfigurationError",
        environment={"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"not a url {IN_ENVIRONMENT}"},
    ),
    ending("unknown key", "InvalidEvent", event={"refresh": IN_EVENT}),
    ending("secret as a key", "InvalidEvent", event={f"{IN_EVENT} {IN_EVENT}": True}),
    ending("no name", "InvalidEvent", event={"secret_id": f"{IN_EVENT} {IN_EVENT}"}),
    ending("client rejected", "ClientRejected", responded(401, error="invalid_client")),
    ending("grant rejected", "ReauthorizationRequired", responded(400, error="invalid_grant")),
    ending("request rejected", "TokenRequestRejected", responded(400, error="invalid_scope")),
    ending("error of its own", "InvalidTokenResponse", responded(400, error=IN_RESPONSE)),
    ending("redirect", "InvalidTokenResponse", responded(307)),
    ending("error with 200", "InvalidTokenResponse", responded(200, error=IN_RESPONSE)),
    ending(
        "tokens of a wrong type",
        "ResponseKept",
        responded(200, access_token=[IN_RESPONSE], refresh_token={"value": IN_RESPONSE}),
    ),
    ending(
        "refresh token of a wrong type",
        "ResponseKept",
        responded(200, access_token="new", refresh_token={"value": IN_RESPONSE}),
    ),
    ending(
        "not HTTP",
        "RefreshOutcomeUnknown",
        lambda world: world.endpoint.play(script.raw(IN_RESPONSE.encode() + b"\r\n\r\n")),
    ),
    ending("HTML", "InvalidTokenResponse", lambda world: world.endpoint.play(script.raw(RAW))),
    ending("server error", "RefreshOutcomeUnknown", responded(500, error=IN_RESPONSE)),
    ending(
        "busy",
        "TokenEndpointUnavailable",
        lambda world: world.endpoint.play(
            script.status(429, {"error": IN_RESPONSE}, headers={"Retry-After": "900", "X-Trace": IN_HEADER})
        ),
    ),
    ending("response lost", "RefreshOutcomeUnknown", lambda world: world.endpoint.play(script.close(commit=True))),
    ending("no time", "DeadlineExceeded", deadline_seconds=15),
    ending("no place", "SecretFull", filled),
    ending("stage taken", "TokensNotStored", stage_taken),
    ending("kept", "TokensKept", both(kept, refused_by_store("PutSecretValue", "AccessDeniedException")), keeps=True),
    ending("table throttles", "TableUnavailable", table_throttles, keeps=True, deadline_seconds=6),
    ending("kept tokens stored", "recovered", kept, keeps=True),
    ending("key refuses", "KeptTokensUnreadable", both(kept, key_refuses), keeps=True),
    ending("a defect", "InternalError", defect=IN_ERROR),
    # Providers that want the token in the URL, which tracing records. The test's endpoint refuses GET: that is enough.
    *(
        ending(f"in the query, {profile}", "RefreshOutcomeUnknown", environment={"PROVIDER": profile})
        for profile in ("facebook", "instagram", "threads")
    ),
]
