"""Events about a grant, sent by a worker with one secret."""

import json
import uuid
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.states import lose_received_tokens
from testbed.provider import script
from token_refresh.errors import ReauthorizationRequired, SecretAccessDenied, SecretNotFound
from token_refresh.stored.times import iso, read_unix
from token_refresh_worker import handlers
from token_refresh_worker.adapters.event_bus import send_event
from worker.handler_stage import DAY_MS, Stage

NAME = "upwork-oauth-tokens"


class Events:
    """EventBridge, as the bus calls it."""

    meta = SimpleNamespace(region_name="eu-central-1")

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.failed = 0

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as the API names it
        if self.failed:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
        self.sent += [entry | {"Detail": json.loads(entry["Detail"])} for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": [{}]}

    @property
    def kinds(self) -> list[str]:
        return [entry["DetailType"] for entry in self.sent]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    made = Events()
    monkeypatch.setenv("EVENT_BUS", "grants")
    monkeypatch.setattr(handlers, "open_bus", lambda name: partial(send_event, cast("Any", made), name))
    return made


def authorize(stage: Stage, **changes: Any) -> None:
    """Store a new grant, as `token-refresh authorize` does; it is due."""
    tokens = stage.endpoint.grant.authorize()
    current = json.loads(stage.client.get_secret_value(SecretId=NAME, VersionStage="AWSCURRENT")["SecretString"])
    current |= {"accessToken": tokens["access_token"], "refreshToken": tokens["refresh_token"], **changes}
    stage.client.put_secret_value(SecretId=NAME, SecretString=json.dumps(current), ClientRequestToken=str(uuid.uuid4()))


def test_a_dead_grant_and_a_new_one(stage: Stage, events: Events) -> None:
    """A rejected grant is announced once, however often it is tried again; the first refresh of a new one, too."""
    stage.store(NAME)
    stage.endpoint.grant.revoke()
    for _ in range(3):
        stage.fail(ReauthorizationRequired)
        stage.server.clock_offset_seconds += 4000
    assert ["Reauthorization Required"] == events.kinds
    detail = events.sent[0]["Detail"]
    assert (NAME, "upwork", None) == (detail["secret_id"], detail["provider"], detail["fleet"])
    assert {"secret_id", "version_id", "provider", "fleet", "since"} == set(detail)

    authorize(stage)
    refreshed = stage.invoke()
    fresh = stage.invoke()

    assert ("refreshed", "fresh") == (refreshed["outcome"], fresh["outcome"])
    assert ["Reauthorization Required", "Reauthorized"] == events.kinds
    assert refreshed["version_id"] == events.sent[1]["Detail"]["version_id"]

    stage.endpoint.grant.revoke()
    stage.server.clock_offset_seconds += 86_000
    stage.fail(ReauthorizationRequired)
    assert ["Reauthorization Required", "Reauthorized", "Reauthorization Required"] == events.kinds


def test_a_copy_that_can_not_be_published(stage: Stage, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new grant is announced by the run that refreshes it, also if that run then fails to publish."""
    stage.store(NAME)
    stage.endpoint.grant.revoke()
    stage.fail(ReauthorizationRequired)
    authorize(stage)
    monkeypatch.setenv("PUBLISHED_SECRET_ID", "there-is-none")

    stage.fail(SecretNotFound)

    assert ["Reauthorization Required", "Reauthorized"] == events.kinds


def test_a_new_grant_that_another_run_recovers(stage: Stage, events: Events) -> None:
    """A new grant whose tokens a run stored and could not make current is announced by the run that recovers them."""
    stage.store(NAME)
    stage.endpoint.grant.revoke()
    stage.fail(ReauthorizationRequired)
    authorize(stage)
    stage.server.fault("deny", "UpdateSecretVersionStage")
    stage.fail(SecretAccessDenied)
    assert ["Reauthorization Required"] == events.kinds
    stage.server.faults.clear()

    assert "recovered" == stage.invoke()["outcome"]

    assert ["Reauthorization Required", "Reauthorized"] == events.kinds


def test_a_promotion_whose_response_is_lost(stage: Stage, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh whose promotion is repeated in vain knows what it replaced: an ending grant is announced once."""
    monkeypatch.setenv("PROVIDER", "generic")
    ends = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "grant_ends_at": _in_days(stage, 3)}
    stage.store(NAME, tokenRefresh=ends)

    stage.invoke({"force": True})
    stage.server.fault("drop_after", "UpdateSecretVersionStage")
    assert "refreshed" == stage.invoke({"force": True})["outcome"]

    assert ["Grant Ending"] == events.kinds


def test_a_used_token_that_came_back(stage: Stage, events: Events) -> None:
    """A used token that is current again fails each run alike: no run is the first, so none announces it."""
    stage.store(NAME)
    backup = stage.client.get_secret_value(SecretId=NAME)["SecretString"]
    for _ in range(2):
        stage.invoke({"force": True})
    lose_received_tokens(stage.server)
    stage.server.clock_offset_seconds += 700  # Before that, a read may only be too old to show them.

    stage.client.put_secret_value(SecretId=NAME, SecretString=backup)

    assert "was redeemed" in str(stage.fail(ReauthorizationRequired))
    assert [] == events.kinds


def test_scopes_that_are_gone(stage: Stage, events: Events) -> None:
    """A refresh that takes scopes succeeds, is announced once, and has one last line, which counts what is gone."""
    stage.store(NAME)
    for number, scope in enumerate(("read write", "read", "read")):
        fresh = {"access_token": f"a{number}", "refresh_token": f"r{number}", "expires_in": 86_400}
        stage.endpoint.play(script.status(200, fresh | {"scope": scope}))
        assert "refreshed" == stage.invoke({"force": True})["outcome"]

    assert ["Scopes Shrunk"] == events.kinds
    lines = stage.lines()
    assert [None, 1, None] == [line.get("ScopesLost") for line in lines if line["event"] == "token_refresh_finished"]
    assert [1] == [line["lost"] for line in lines if line["event"] == "scopes_shrunk"]


def test_a_bus_that_fails(stage: Stage, events: Events) -> None:
    """A bus that takes no event changes nothing about the run, and is logged."""
    events.failed = 1
    stage.store(NAME)
    stage.endpoint.grant.revoke()

    stage.fail(ReauthorizationRequired)

    last, warning = stage.lines()[-2:]
    assert ("token_refresh_failed", "event_not_sent") == (last["event"], warning["event"])
    assert (
        "events:PutEvents on event bus grants in eu-central-1 failed in the service (InternalFailure)"
        in warning["error"]
    )


def _in_days(stage: Stage, days: int) -> str:
    return iso(read_unix(stage.now_ms + days * DAY_MS))
