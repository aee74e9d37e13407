"""Every way in which a run ends, each with secrets planted wherever something is read."""

from __future__ import annotations

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
    prepare: Prepare = lambda _: None
    event: Any = field(default_factory=lambda: SCHEDULED)
    environment: dict[str, str] = field(default_factory=dict)
    defect: str | None = None
    deadline_seconds: float = 60
    keeps: bool = False
    """Whether claims are in a table, which keeps tokens that Secrets Manager refuses."""


RAW = b"HTTP/1.1 200 " + IN_HEADER.encode() + b"\r\n\r\n<html>" + IN_RESPONSE.encode()

DEEP = "[" * 70 + json.dumps(IN_STORE) + "]" * 70

SCENARIOS = [
    Scenario(name="refreshed", ends="refreshed"),
    Scenario(name="forced", ends="refreshed", event={"force": True}),
    Scenario(
        name="credentials beside the tokens",
        ends="ClientRejected",
        prepare=stored(clientId=IN_STORE, clientSecret=IN_STORE),
        environment={"CLIENT_SECRET_ID": ""},
    ),
    Scenario(name="credentials in the environment", ends="ClientRejected", environment={"CLIENT_SECRET_ID": ""}),
    Scenario(name="basic", ends="refreshed", environment={"TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_basic"}),
    Scenario(name="published", ends="refreshed", prepare=emptied, environment={"PUBLISHED_SECRET_ID": "empty"}),
    Scenario(name="dry run", ends="would_refresh", event={"dry_run": True}),
    Scenario(name="recovered", ends="recovered", prepare=interrupted("UpdateSecretVersionStage")),
    Scenario(name="yielded", ends="yielded", prepare=interrupted("PutSecretValue", nth=2)),
    Scenario(name="fresh", ends="fresh", prepare=stored(expiresAt=4_000_000_000_000)),
    Scenario(name="no such secret", ends="SecretNotFound", environment={"TOKEN_SECRET_ID": "missing"}),
    Scenario(name="empty secret", ends="SecretEmpty", prepare=emptied, environment={"TOKEN_SECRET_ID": "empty"}),
    Scenario(
        name="denied", ends="SecretAccessDenied", prepare=refused_by_store("GetSecretValue", "AccessDeniedException")
    ),
    Scenario(
        name="claim denied", ends="SecretAccessDenied", prepare=refused_by_store("PutSecretValue", "DecryptionFailure")
    ),
    Scenario(
        name="promotion denied",
        ends="SecretAccessDenied",
        prepare=refused_by_store("UpdateSecretVersionStage", "AccessDeniedException"),
    ),
    Scenario(
        name="store at a limit",
        ends="SecretStoreUnavailable",
        prepare=refused_by_store("PutSecretValue", "LimitExceededException"),
    ),
    Scenario(
        name="store fails oddly",
        ends="SecretStoreUnavailable",
        prepare=refused_by_store("PutSecretValue", "MalformedPolicyDocumentException"),
    ),
    Scenario(
        name="store throttles",
        ends="SecretStoreUnavailable",
        prepare=refused_by_store("GetSecretValue", "ThrottlingException"),
        deadline_seconds=6,
    ),
    Scenario(
        name="not found", ends="SecretNotFound", prepare=refused_by_store("GetSecretValue", "ResourceNotFoundException")
    ),
    Scenario(
        name="being deleted",
        ends="SecretNotFound",
        prepare=refused_by_store("GetSecretValue", "InvalidRequestException"),
    ),
    Scenario(
        name="tidying denied",
        ends="refreshed",
        prepare=refused_by_store("UpdateSecretVersionStage", "AccessDeniedException", label="AWSPENDING"),
    ),
    Scenario(
        name="response kept",
        ends="ResponseKept",
        prepare=responded(200, data={"accessToken": IN_RESPONSE, IN_RESPONSE: IN_RESPONSE}),
        environment={"REPLAY_GRACE_SECONDS": "0"},
    ),
    Scenario(
        name="response refused",
        ends="InvalidTokenResponse",
        prepare=both(
            responded(200, data={"accessToken": IN_RESPONSE}),
            refused_by_store("PutSecretValue", "AccessDeniedException", label="REFRESH_OUTCOME"),
        ),
        environment={"REPLAY_GRACE_SECONDS": "0"},
        deadline_seconds=25,
    ),
    Scenario(
        name="record denied",
        ends="ClientRejected",
        prepare=both(
            responded(401, error="invalid_client"),
            refused_by_store("PutSecretValue", "AccessDeniedException", label="REFRESH_OUTCOME"),
        ),
    ),
    Scenario(name="pending is taken", ends="refreshed", prepare=pending_elsewhere),
    Scenario(name="saved meanwhile", ends="refreshed", prepare=saved_meanwhile),
    Scenario(name="claim without its label", ends="yielded", prepare=claim_label_lost),
    Scenario(name="claim that is none", ends="refreshed", prepare=claim_spoilt),
    Scenario(name="record that is none", ends="yielded", prepare=record_spoilt),
    Scenario(
        name="still rejected",
        ends="ReauthorizationRequired",
        prepare=after_a_run(responded(400, error="invalid_grant")),
    ),
    Scenario(
        name="still unknown",
        ends="RefreshOutcomeUnknown",
        prepare=after_a_run(lambda world: world.endpoint.play(script.close(commit=True))),
    ),
    Scenario(name="nested", ends="InvalidSecretDocument", prepare=stored(deep=json.loads(DEEP))),
    Scenario(name="mixed spellings", ends="InvalidSecretDocument", prepare=stored(expires_at=IN_STORE)),
    Scenario(
        name="credentials that differ",
        ends="InvalidSecretDocument",
        prepare=stored(clientId="id", clientSecret=IN_STORE, client_secret=f"not {IN_STORE}"),
        environment={"CLIENT_SECRET_ID": ""},
    ),
    Scenario(
        name="credentials of a wrong type",
        ends="InvalidSecretDocument",
        prepare=client_is(json.dumps({"clientId": "id", "clientSecret": [IN_STORE]})),
    ),
    Scenario(
        name="client secret alone",
        ends="InvalidSecretDocument",
        prepare=client_is(json.dumps({"clientSecret": IN_STORE})),
    ),
    Scenario(name="not JSON", ends="InvalidSecretDocument", prepare=stored_text(f"refreshToken={IN_STORE}")),
    Scenario(name="cut off", ends="InvalidSecretDocument", prepare=stored_text(f'{{"refreshToken": "{IN_STORE}"')),
    Scenario(name="a list", ends="InvalidSecretDocument", prepare=stored_text(json.dumps([IN_STORE]))),
    Scenario(name="a string", ends="InvalidSecretDocument", prepare=stored_text(json.dumps(IN_STORE))),
    Scenario(
        name="binary", ends="InvalidSecretDocument", prepare=lambda world: put(world, SecretBinary=IN_STORE.encode())
    ),
    Scenario(name="token of a wrong type", ends="InvalidSecretDocument", prepare=stored(refreshToken=[IN_STORE])),
    Scenario(name="expiry that is text", ends="InvalidSecretDocument", prepare=stored(expiresAt=IN_STORE)),
    Scenario(name="both spellings", ends="InvalidSecretDocument", prepare=stored(refresh_token=IN_STORE)),
    Scenario(
        name="client secret not JSON", ends="InvalidSecretDocument", prepare=client_is(f"clientSecret={IN_STORE}")
    ),
    Scenario(
        name="endpoint with credentials",
        ends="ConfigurationError",
        environment={"TOKEN_ENDPOINT": f"https://user:{IN_ENVIRONMENT}@example.com/"},
    ),
    Scenario(name="endpoint that is none", ends="ConfigurationError", environment={"TOKEN_ENDPOINT": IN_ENVIRONMENT}),
    Scenario(name="no URL", ends="ConfigurationError", environment={"TOKEN_ENDPOINT": f"https://[{IN_ENVIRONMENT}"}),
    Scenario(
        name="http", ends="ConfigurationError", environment={"TOKEN_ENDPOINT": f"http://example.com/{IN_ENVIRONMENT}"}
    ),
    Scenario(
        name="nobody responds",
        ends="TokenEndpointUnavailable",
        environment={"TOKEN_ENDPOINT": f"http://127.0.0.1:1/{IN_ENVIRONMENT}"},
    ),
    Scenario(name="window", ends="ConfigurationError", environment={"REFRESH_WINDOW_SECONDS": IN_ENVIRONMENT}),
    Scenario(name="method", ends="ConfigurationError", environment={"TOKEN_ENDPOINT_AUTH_METHOD": IN_ENVIRONMENT}),
    Scenario(name="level", ends="ConfigurationError", environment={"LOG_LEVEL": IN_ENVIRONMENT}),
    Scenario(
        name="AWS endpoint",
        ends="ConfigurationError",
        environment={"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"not a url {IN_ENVIRONMENT}"},
    ),
    Scenario(name="event is a list", ends="InvalidEvent", event=[IN_EVENT]),
    Scenario(name="unknown key", ends="InvalidEvent", event={"refresh": IN_EVENT}),
    Scenario(name="secret as a key", ends="InvalidEvent", event={f"{IN_EVENT} {IN_EVENT}": True}),
    Scenario(name="wrong type", ends="InvalidEvent", event={"secret_id": [IN_EVENT]}),
    Scenario(name="no name", ends="InvalidEvent", event={"secret_id": f"{IN_EVENT} {IN_EVENT}"}),
    Scenario(name="client rejected", ends="ClientRejected", prepare=responded(401, error="invalid_client")),
    Scenario(name="grant rejected", ends="ReauthorizationRequired", prepare=responded(400, error="invalid_grant")),
    Scenario(name="request rejected", ends="TokenRequestRejected", prepare=responded(400, error="invalid_scope")),
    Scenario(name="error of its own", ends="InvalidTokenResponse", prepare=responded(400, error=IN_RESPONSE)),
    Scenario(name="redirect", ends="InvalidTokenResponse", prepare=responded(307)),
    Scenario(name="error with 200", ends="InvalidTokenResponse", prepare=responded(200, error=IN_RESPONSE)),
    Scenario(
        name="tokens of a wrong type",
        ends="ResponseKept",
        prepare=responded(200, access_token=[IN_RESPONSE], refresh_token={"value": IN_RESPONSE}),
    ),
    Scenario(
        name="refresh token of a wrong type",
        ends="ResponseKept",
        prepare=responded(200, access_token="new", refresh_token={"value": IN_RESPONSE}),
    ),
    Scenario(
        name="not HTTP",
        ends="RefreshOutcomeUnknown",
        prepare=lambda world: world.endpoint.play(script.raw(IN_RESPONSE.encode() + b"\r\n\r\n")),
    ),
    Scenario(name="HTML", ends="InvalidTokenResponse", prepare=lambda world: world.endpoint.play(script.raw(RAW))),
    Scenario(name="server error", ends="RefreshOutcomeUnknown", prepare=responded(500, error=IN_RESPONSE)),
    Scenario(
        name="busy",
        ends="TokenEndpointUnavailable",
        prepare=lambda world: world.endpoint.play(
            script.status(429, {"error": IN_RESPONSE}, headers={"Retry-After": "900", "X-Trace": IN_HEADER})
        ),
    ),
    Scenario(
        name="response lost",
        ends="RefreshOutcomeUnknown",
        prepare=lambda world: world.endpoint.play(script.close(commit=True)),
    ),
    Scenario(name="no time", ends="DeadlineExceeded", deadline_seconds=15),
    Scenario(name="stage taken", ends="TokensNotStored", prepare=stage_taken),
    Scenario(
        name="kept",
        ends="TokensKept",
        keeps=True,
        prepare=both(kept, refused_by_store("PutSecretValue", "AccessDeniedException")),
    ),
    Scenario(name="table throttles", ends="TableUnavailable", keeps=True, prepare=table_throttles, deadline_seconds=6),
    Scenario(name="kept tokens stored", ends="recovered", keeps=True, prepare=kept),
    Scenario(name="key refuses", ends="KeptTokensUnreadable", keeps=True, prepare=both(kept, key_refuses)),
    Scenario(name="a defect", ends="InternalError", defect=IN_ERROR),
]
