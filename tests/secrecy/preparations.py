"""What a run meets, with secrets planted in it."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

from secrecy.canaries import canary
from testbed.aws.faults import Call
from testbed.provider import script
from testbed.secrets_manager.limits import ServiceError
from testbed.testbed import CLIENT, TOKENS, Testbed
from token_refresh_worker.core.versions import claim_version_id, record_version_id

PLANTED = {name: canary() for name in ("store", "response", "header", "environment", "event", "error")}
IN_STORE, IN_RESPONSE, IN_HEADER, IN_ENVIRONMENT, IN_EVENT, IN_ERROR = PLANTED.values()

Prepare = Callable[[Testbed], None]


def stored(**changes: Any) -> Prepare:
    return lambda world: world.save({**world.document, **changes})


def stored_text(text: str) -> Prepare:
    return lambda world: put(world, SecretString=text)


def put(world: Testbed, **value: Any) -> None:
    world.store.call("PutSecretValue", {"SecretId": TOKENS, "ClientRequestToken": f"{canary():.32}", **value})


def responded(status: int, **fields: Any) -> Prepare:
    """Respond with planted secrets in the headers and in every field that the provider may fill."""
    body = {"error_description": IN_RESPONSE, "error_uri": f"https://{IN_RESPONSE}/", "scope": IN_RESPONSE, **fields}
    headers = {"WWW-Authenticate": f"Basic {IN_HEADER}", "Set-Cookie": IN_HEADER, "Location": f"http://{IN_HEADER}/"}
    return lambda world: world.endpoint.play(*[script.status(status, body, headers=headers)] * 4)


def is_tokens(call: Call) -> bool:
    """Whether a call is for the token secret, by its name or its ARN."""
    return call.secret_id == TOKENS or f":secret:{TOKENS}-" in str(call.secret_id)


def refused_by_store(operation: str, code: str, *, label: str | None = None) -> Prepare:
    """Refuse with a text that quotes what was sent, as services do."""

    def refuse(call: Call) -> None:
        if call.operation == operation and is_tokens(call) and label in {None, *call.version_stages}:
            raise ServiceError(code, f"{code}: {IN_ERROR}, {IN_STORE}, which is marked for deletion")

    def prepare(world: Testbed) -> None:
        world.store.authorize = refuse

    return prepare


def interrupted(operation: str, nth: int = 1) -> Prepare:
    """Leave what a run leaves that is killed before this call."""

    def prepare(world: Testbed) -> None:
        hold = world.store.fault("hold_before", operation, nth=nth)
        with world.begin() as worker:
            hold.wait()
            worker.kill()
        hold.release(apply=False)

    return prepare


def kept(world: Testbed) -> None:
    """Leave tokens in the claim table: their run was killed after Secrets Manager had refused them."""
    assert world.table is not None
    refused_by_store("PutSecretValue", "AccessDeniedException")(world)
    hold = world.table.fault("hold_after", "UpdateItem", nth=2)
    with world.begin() as worker:
        hold.wait()
        worker.kill()
    hold.release(apply=False)
    world.store.authorize = None


def table_throttles(world: Testbed) -> None:
    assert world.table is not None
    world.table.fault("throttle", "GetItem", times=None)


def key_refuses(world: Testbed) -> None:
    assert world.kms is not None
    world.kms.refuses = True


def stage_taken(world: Testbed) -> None:
    """Let another value take the version ID of the tokens, in the moment in which they are staged."""

    def take(when: str, call: Call) -> None:
        if when == "before" and call.version_stages == ("REFRESH_OUTCOME",) and call.operation == "PutSecretValue":
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


def emptied(world: Testbed) -> None:
    world.store.call("CreateSecret", {"Name": "empty", "ClientRequestToken": f"{canary():.32}"})


def filled(world: Testbed) -> None:
    """Store as many versions today as the secret holds."""
    with contextlib.suppress(ServiceError):
        while True:
            put(world, SecretString=json.dumps({"note": IN_STORE}), VersionStages=["NOTE"])


def client_is(text: str) -> Prepare:
    version = {"SecretId": CLIENT, "SecretString": text}
    return lambda world: put(world, **version)


def both(first: Prepare, second: Prepare) -> Prepare:
    def prepare(world: Testbed) -> None:
        first(world)
        second(world)

    return prepare


def after_a_run(before: Prepare) -> Prepare:
    """Let a run meet it that comes first."""

    def prepare(world: Testbed) -> None:
        before(world)
        world.run_here()
        world.endpoint.unplay()

    return prepare


def pending_elsewhere(world: Testbed) -> None:
    put(world, SecretString=json.dumps({"note": IN_STORE}), VersionStages=["AWSPENDING"])


def saved_meanwhile(world: Testbed) -> None:
    """Save an edited copy just before the tokens that were received become current."""
    edited = {**world.document, "note": IN_STORE}

    def save(when: str, call: Call) -> None:
        if when == "before" and call.operation == "UpdateSecretVersionStage":
            world.store.on_call = None
            world.save(edited)

    world.store.on_call = save


def claim_label_lost(world: Testbed) -> None:
    interrupted("PutSecretValue", nth=2)(world)
    move = {"VersionStage": "REFRESH_CLAIM", "RemoveFromVersionId": claim_version_id(None)}
    world.store.call("UpdateSecretVersionStage", {"SecretId": TOKENS, **move})


def claim_spoilt(world: Testbed) -> None:
    put(world, SecretString=json.dumps({"note": IN_STORE}), VersionStages=["REFRESH_CLAIM"])


def record_spoilt(world: Testbed) -> None:
    interrupted("PutSecretValue", nth=2)(world)
    version_id = record_version_id(claim_version_id(None))
    text = json.dumps({"note": IN_STORE})
    put(world, ClientRequestToken=version_id, SecretString=text, VersionStages=["REFRESH_OUTCOME"])
