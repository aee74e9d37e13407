"""What a script needs to decide: one JSON object, also of a failure, and an exit status that says who has to act."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cli.scene import SECRET_ID, Cli, Tokens
from cli.states import SINGLE_USE
from testbed.builders import DAY, HOUR
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import TokenRefreshError
from token_refresh_admin.changes.authorize import TooManyRedirects

FIELDS = {"error_type", "error", "needs_person", "retry_at"}


def told(fields: dict[str, Any]) -> tuple[str, bool, bool]:
    """Return an error's name, whether it needs a person, and whether it says when a run tries again."""
    assert set(fields) >= FIELDS
    return fields["error_type"], fields["needs_person"], fields["retry_at"] is not None


def revoke(endpoint: TokenEndpoint, _store: SecretsManagerServer) -> None:
    endpoint.grant.revoke()


FAILURES = {
    "a dead grant": (revoke, 2, ("ReauthorizationRequired", True, True)),
    "a wrong client": (
        lambda endpoint, _: endpoint.play(*(script.error("invalid_client", http_status=401) for _ in range(2))),
        2,
        ("ClientRejected", True, True),
    ),
    "an unknown outcome": (
        lambda endpoint, _: endpoint.play(script.status(500)),
        1,
        ("RefreshOutcomeUnknown", False, True),
    ),
    "no right to write": (
        lambda _, store: store.fault("deny", "PutSecretValue", times=None),
        2,
        ("SecretAccessDenied", True, False),
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_refresh(
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer, name: str
) -> None:
    """A refresh that fails prints one object with the error's name, who has to act, and when a run tries again."""
    fails, code, expected = FAILURES[name]
    tokens.store(expires_in=7 * HOUR)
    fails(endpoint, store)
    cli("refresh", **SINGLE_USE)
    store.clock_offset_seconds += 2  # A second attempt may follow at once, in another whole second.

    ended = cli("refresh", "--json", **SINGLE_USE)

    assert (code, expected) == (ended.code, told(ended.json)), ended.screen
    assert ended.json["error"].split()[0] in ended.err


def test_a_refresh_after_a_rejected_client(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """While a run waits because the client was rejected, a person is needed still, and the wait alone mends nothing."""
    tokens.store(expires_in=HOUR, clientSecret="an-old-one")
    for _ in range(2):
        cli("refresh")
        store.clock_offset_seconds += 2

    waits = cli("refresh", "--json")

    assert (2, ("ClientRejected", True, True)) == (waits.code, told(waits.json)), waits.screen
    assert f"token-refresh client {SECRET_ID} --region eu-central-1" in waits.err


@pytest.mark.parametrize(
    ("line", "code", "name"),
    [
        ("refresh nope --json", 2, "SecretNotFound"),
        ("history nope --json", 2, "SecretNotFound"),
        ("verify nope --json", 3, "SecretNotFound"),
        ("status nope --json", 3, "SecretNotFound"),
        ("status nope --json --watch", 3, "SecretNotFound"),
        ("fleet status --fleet nope --json", 3, "TableUnavailable"),
        ("fleet resync --fleet nope --json", 1, "TableUnavailable"),
        ("verify --json", 3, "ChangeFailed"),
        ("recover --json", 1, "ChangeFailed"),
        ("refresh --json --nope", 64, "UsageError"),
    ],
)
def test_every_command_ends_with_one_object(cli: Cli, tokens: Tokens, line: str, code: int, name: str) -> None:
    """Whatever ends a command with --json, standard output has one object, and standard error the words."""
    tokens.store(expires_in=DAY)

    ended = cli(*line.split(), AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:9")

    assert (code, True) == (ended.code, set(ended.json) >= FIELDS), ended.screen
    assert name == ended.json["error_type"]
    assert ended.err or "unknown" == ended.json["health"]  # of `status`


@pytest.mark.parametrize("as_json", [True, False])
def test_watched(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch, *, as_json: bool
) -> None:
    """`--watch` follows what changes, errors included, until Ctrl-C: its code is the last status; JSON, one a line."""
    tokens.store(expires_in=DAY)
    changes = iter([lambda: tokens.put("garbage"), lambda: store.fault("deny", "GetSecretValue", times=None)])
    monkeypatch.setattr("token_refresh_admin.cli.status.threading", changing(changes))
    before = signal.getsignal(signal.SIGINT)

    ended = cli("status", "--watch", *(["--json"] if as_json else []))

    assert (3, True) == (ended.code, "SecretAccessDenied" in ended.out)
    assert before == signal.getsignal(signal.SIGINT)
    if as_json:
        assert ["healthy", "broken", "unknown"] == [json.loads(line)["health"] for line in ended.out.splitlines()]


def changing(changes: Iterator[Callable[[], object]]) -> SimpleNamespace:
    """A clock whose every tick changes something; after them comes Ctrl-C."""

    class Ticks(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            del timeout
            change = next(changes, None)
            return change is None or bool(change() and False)

    return SimpleNamespace(Event=Ticks)


def test_who_has_to_act() -> None:
    """Each named error says whether a later run may correct it; what a reader of a fleet gets is no other."""
    ours = {kind for kind in _all(TokenRefreshError) if kind.__module__.startswith("token_refresh")}
    later = {kind.__name__ for kind in ours if not kind.needs_person}

    assert {
        *("SecretStoreUnavailable", "TableUnavailable", "RefreshOutcomeUnknown", "TokensNotStored"),
        *("TokenEndpointUnavailable", "InvalidTokenResponse", "DeadlineExceeded", "SecretFull"),
        TooManyRedirects.__name__,
    } == later


def _all(kind: type[TokenRefreshError]) -> set[type[TokenRefreshError]]:
    """Return the error and those that follow from it, without those of other tests in this process."""
    ours = (child for child in kind.__subclasses__() if child.__module__.startswith("token_refresh"))
    return {kind}.union(*(_all(child) for child in ours))
