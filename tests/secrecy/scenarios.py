"""Every way in which a run ends, each with secrets planted wherever something is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from races.world import CLIENT, TOKENS, World
from rig import script
from rig.secrets_limits import ServiceError
from secrecy.canaries import canary

if TYPE_CHECKING:
    from rig.secrets_faults import Call

SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
PLANTED = {name: canary() for name in ("store", "answer", "header", "environment", "event", "error")}
IN_STORE, IN_ANSWER, IN_HEADER, IN_ENVIRONMENT, IN_EVENT, IN_ERROR = PLANTED.values()

Prepare = Callable[[World], None]


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


def stored(**changes: Any) -> Prepare:
    return lambda world: world.save({**world.document, **changes})


def stored_text(text: str) -> Prepare:
    return lambda world: put(world, SecretString=text)


def put(world: World, **value: Any) -> None:
    world.store.call("PutSecretValue", {"SecretId": TOKENS, "ClientRequestToken": f"{canary():.32}", **value})


def answered(status: int, **fields: Any) -> Prepare:
    """Answer with planted secrets in the headers and in every field that the provider may fill."""
    body = {"error_description": IN_ANSWER, "error_uri": f"https://{IN_ANSWER}/", "scope": IN_ANSWER, **fields}
    headers = {"WWW-Authenticate": f"Basic {IN_HEADER}", "Set-Cookie": IN_HEADER, "Location": f"http://{IN_HEADER}/"}
    return lambda world: world.endpoint.play(*[script.status(status, body, headers=headers)] * 4)


def refused_by_store(operation: str, code: str, why: str = "") -> Prepare:
    """Refuse with a text that quotes what was sent, as services do."""

    def refuse(call: Call) -> None:
        if call.operation == operation and call.secret_id == TOKENS:
            raise ServiceError(code, f"{code}: {why} {IN_ERROR}, {IN_STORE}")

    def prepare(world: World) -> None:
        world.store.authorize = refuse

    return prepare


def interrupted(operation: str, nth: int = 1) -> Prepare:
    """Leave what a run leaves that is killed before this call."""

    def prepare(world: World) -> None:
        hold = world.store.fault("hold_before", operation, nth=nth)
        with world.begin() as worker:
            hold.wait()
            worker.kill()
        hold.release(apply=False)

    return prepare


def stage_taken(world: World) -> None:
    """Let another value take the version ID of the tokens, in the moment in which they are staged."""

    def take(when: str, call: Call) -> None:
        if when == "before" and call.version_stages == ("AWSPENDING",) and call.operation == "PutSecretValue":
            world.store.call(
                "PutSecretValue",
                {
                    "SecretId": TOKENS,
                    "ClientRequestToken": call.version_id,
                    "SecretString": json.dumps({"note": IN_STORE}),
                    "VersionStages": ["ELSEWHERE"],
                },
            )

    world.store.on_call = take


def emptied(world: World) -> None:
    world.store.call("CreateSecret", {"Name": "empty", "ClientRequestToken": f"{canary():.32}"})


def client_spoilt(world: World) -> None:
    text = {"SecretString": f"clientSecret={IN_STORE}"}
    world.store.call("PutSecretValue", {"SecretId": CLIENT, "ClientRequestToken": f"{canary():.32}", **text})


RAW = b"HTTP/1.1 200 " + IN_HEADER.encode() + b"\r\n\r\n<html>" + IN_ANSWER.encode()

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
    Scenario(name="client secret not JSON", ends="InvalidSecretDocument", prepare=client_spoilt),
    Scenario(
        name="endpoint with credentials",
        ends="ConfigurationError",
        environment={"TOKEN_ENDPOINT": f"https://user:{IN_ENVIRONMENT}@example.com/"},
    ),
    Scenario(name="endpoint that is none", ends="ConfigurationError", environment={"TOKEN_ENDPOINT": IN_ENVIRONMENT}),
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
    Scenario(name="client rejected", ends="ClientRejected", prepare=answered(401, error="invalid_client")),
    Scenario(name="grant rejected", ends="ReauthorizationRequired", prepare=answered(400, error="invalid_grant")),
    Scenario(name="request rejected", ends="TokenRequestRejected", prepare=answered(400, error="invalid_scope")),
    Scenario(name="error of its own", ends="InvalidTokenResponse", prepare=answered(400, error=IN_ANSWER)),
    Scenario(name="redirect", ends="InvalidTokenResponse", prepare=answered(307)),
    Scenario(name="error with 200", ends="InvalidTokenResponse", prepare=answered(200, error=IN_ANSWER)),
    Scenario(
        name="tokens of a wrong type",
        ends="InvalidTokenResponse",
        prepare=answered(200, access_token=[IN_ANSWER], refresh_token={"value": IN_ANSWER}),
    ),
    Scenario(
        name="not HTTP",
        ends="RefreshOutcomeUnknown",
        prepare=lambda world: world.endpoint.play(script.raw(IN_ANSWER.encode())),
    ),
    Scenario(name="HTML", ends="InvalidTokenResponse", prepare=lambda world: world.endpoint.play(script.raw(RAW))),
    Scenario(name="server error", ends="RefreshOutcomeUnknown", prepare=answered(500, error=IN_ANSWER)),
    Scenario(
        name="busy",
        ends="TokenEndpointUnavailable",
        prepare=lambda world: world.endpoint.play(
            script.status(429, {"error": IN_ANSWER}, headers={"Retry-After": "900", "X-Trace": IN_HEADER})
        ),
    ),
    Scenario(
        name="answer lost",
        ends="RefreshOutcomeUnknown",
        prepare=lambda world: world.endpoint.play(script.close(commit=True)),
    ),
    Scenario(name="no time", ends="DeadlineExceeded", deadline_seconds=15),
    Scenario(name="stage taken", ends="TokensNotStored", prepare=stage_taken),
    Scenario(name="a defect", ends="InternalError", defect=IN_ERROR),
]
