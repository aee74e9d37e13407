"""`recover`: a response that no run could read becomes tokens, and nobody sees a byte of it."""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from cli.scene import SECRET_ID, Cli, Ended, Tokens
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.changes.recover import shape_of
from token_refresh_worker.run.redemption import Redemption
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES

SINGLE_USE = {"REPLAY_GRACE_SECONDS": "0"}
CANARY = "canary-6f1d"
POINTERS = ("--access-token=/data/0/accessToken", "--same-refresh-token", "--yes")


def answer(endpoint: TokenEndpoint, body: Any, **how: Any) -> None:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    endpoint.play(script.status(200, text, **how))


@pytest.fixture
def held(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> Ended:
    """A refresh at a single-use provider, whose tokens came in an envelope that no profile names."""
    tokens.store(expires_in=timedelta(minutes=-1))
    envelope = {"accessToken": f"{CANARY}-access", "refreshToken": f"{CANARY}-refresh", "ttl": 7200}
    answer(endpoint, {"data": [envelope], f"{CANARY}{'x' * 40}": None, "ok": True})
    return cli("refresh", **SINGLE_USE)


def test_a_response_becomes_tokens(cli: Cli, held: Ended, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """The error names the command, that shows the fields, and what was pointed to is current."""
    shown = cli("recover", **SINGLE_USE)
    pointers = (
        "--access-token=/data/0/accessToken",
        "--refresh-token=/data/0/refreshToken",
        "--expires-in=/data/0/ttl",
    )
    listed = cli("recover", "--json", **SINGLE_USE).json
    declined = cli("recover", *pointers, stdin="n\n", **SINGLE_USE)
    stored = cli("recover", "--json", *pointers, stdin="y\n", **SINGLE_USE)
    after = cli("refresh", "--json", **SINGLE_USE)

    assert "token-refresh recover" in held.screen
    assert "/data/0/accessToken text of 18 characters (letters, digits, others)" in shown.screen
    assert "/data/0/ttl number" in shown.screen
    assert "/ok true or false" in shown.screen
    assert "/#2 null" in shown.screen
    assert (0, 1, 0) == (shown.code, declined.code, stored.code)
    assert {"pointer": "/data/0/ttl", "shape": "number"} in listed["fields"]
    assert {"secret_id", "claim_id", "claimed_at", "length_bytes", "fields"} == {*listed}
    assert {"secret_id", "version_id", "published"} == {*stored.json}
    assert CANARY not in held.screen + shown.screen + declined.screen + stored.screen + str(listed)
    assert "fresh" == after.json["outcome"]
    found = tokens.current()
    assert (f"{CANARY}-access", f"{CANARY}-refresh") == (found["accessToken"], found["refreshToken"])
    assert 7200 == (found["expiresAt"] - found["issuedAt"]) / 1000
    # The request was sent at most two minutes ago: from later on, services would get a dead token.
    assert 0 <= time.time() - found["issuedAt"] / 1000 < 120
    assert found["issuedAt"] / 1000 <= datetime.fromisoformat(listed["claimed_at"]).timestamp()
    assert 1 == len(endpoint.requests)


@pytest.mark.usefixtures("held")
def test_a_recovery_names_the_newest_claim(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Also after a pause that began and ended meanwhile: the next run follows the chain from there."""
    for line in ("pause", "resume"):
        assert 0 == cli(line, **SINGLE_USE).code

    assert 0 == cli("recover", "--access-token=/data/0/accessToken", "--same-refresh-token", "--yes", **SINGLE_USE).code

    versions = store.client().describe_secret(SecretId=SECRET_ID)["VersionIdsToStages"]
    (newest,) = (version_id for version_id, labels in versions.items() if "REFRESH_CLAIM" in labels)
    assert newest == tokens.current()["tokenRefresh"]["claim"]


@pytest.mark.usefixtures("held")
def test_a_recovery_is_published(cli: Cli, store: SecretsManagerServer) -> None:
    """Whether for people or for machines, the recovered tokens get into the copy, and the command says so."""
    copy = "published"
    store.client().create_secret(Name=copy)
    line = ("recover", "--access-token=/data/0/accessToken", "--same-refresh-token", "--yes")

    for_machines = cli(*line, "--json", PUBLISHED_SECRET_ID=copy, **SINGLE_USE)
    value = store.client().get_secret_value(SecretId=copy)["SecretString"]

    assert for_machines.json["published"] is True
    assert f"{CANARY}-access" == json.loads(value)["accessToken"]


def test_a_refresh_token_under_another_name(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """At a provider that always rotates it is not taken for none: the response is kept, and a person points to it."""
    tokens.store(expires_in=timedelta(minutes=-1))
    answer(endpoint, {"access_token": "a2", "refresh_handle": 12345678901234567890, "expires_in": 7200})

    held = cli("refresh", **SINGLE_USE)
    cli("recover", "--access-token=/access_token", "--refresh-token=/refresh_handle", "--yes", **SINGLE_USE)
    after = cli("refresh", "--json", **SINGLE_USE)

    assert "ResponseKept" in held.screen
    assert "fresh" == after.json["outcome"]
    assert ("a2", "12345678901234567890") == (tokens.current()["accessToken"], tokens.current()["refreshToken"])


@pytest.mark.parametrize("command", ["status", "history", "doctor", "recover"])
def test_no_command_shows_a_byte_of_it(cli: Cli, held: Ended, command: str) -> None:
    """Each of them names the state, and none a value; `status` and `doctor` are broken and name the command."""
    shown = cli(command, **SINGLE_USE)

    assert held.code
    assert CANARY not in shown.screen
    assert "can't be read" in shown.screen or command == "recover"
    if command in {"status", "doctor"}:
        assert {"status": 2, "doctor": 1}[command] == shown.code
        assert "it is kept, and may hold the new tokens" in shown.screen
        assert "token-refresh recover" in shown.screen


def test_each_kind_of_value_has_a_name() -> None:
    """Enough to point to a token by: what a value is made of, and nothing of it."""
    deep: object = [{}, []]
    for _ in range(98):
        deep = [deep]

    shown = shape_of({"a": 1.5, "b": "a b", "c": "12", "d": "-", "e": "", "f": 7, "g": None, "h": deep})

    texts = ["3 characters (letters, spaces)", "2 characters (digits)", "1 characters (others)", "0 characters"]
    assert ["number", *(f"text of {text}" for text in texts), "number", "null", "object", "list"] == [*shown.values()]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--access-token=/data/0/accessToken"], "the new refresh token has to be named"),
        (["--access-token=/data/0/ttl", "--same-refresh-token"], "there is no token at /data/0/ttl"),
        (["--access-token=/data/1/x", "--same-refresh-token"], "there is no token at /data/1/x"),
        (["--access-token=/ok/deeper", "--same-refresh-token"], "there is no token at /ok/deeper"),
        (["--access-token=/#9", "--same-refresh-token"], "there is no token at /#9"),
    ],
)
def test_a_wrong_pointer_stores_nothing(cli: Cli, held: Ended, options: list[str], why: str) -> None:
    """It says what is wrong, and the response stays."""
    refused = cli("recover", "--yes", *options, **SINGLE_USE)

    assert held.code
    assert 2 == refused.code
    assert why in refused.screen
    assert 0 == cli("recover", **SINGLE_USE).code


RIGHT = ("--access-token=/data/0/accessToken", "--refresh-token=/data/0/refreshToken", "--yes")
WRONG = ("--access-token=/data/0/accessToken", "--refresh-token=/data/0/accessToken", "--yes")
SENT = ("--access-token=/data/0/accessToken", "--same-refresh-token", "--yes")


def named_claim(ended: Ended) -> tuple[str, ...]:
    """The options that an error or a message names for another recovery."""
    _, option, rest = ended.screen.partition("--claim ")
    return ("--claim", rest.split()[0]) if option else ()


@pytest.fixture(params=["versions", "table"])
def settings(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Of a single-use provider, with both claim stores."""
    with DynamoDbServer() as server:
        server.create_table("claims", key="secret_arn")
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = server.url
        yield SINGLE_USE | ({"CLAIM_TABLE": "claims"} if request.param == "table" else {})


@pytest.mark.parametrize(
    ("after", "right"), [("nothing", SENT), ("nothing", RIGHT), ("run", RIGHT), ("edit", RIGHT), ("restore", SENT)]
)
def test_a_wrong_pointer_is_not_final(  # noqa: PLR0917 - fixtures, and what is seen
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, settings: dict[str, str], after: str, right: tuple[str, ...]
) -> None:
    """The same response is recovered again: at once, after a run that the provider rejected, an edit, or a restore."""
    tokens.store(expires_in=timedelta(minutes=-1))
    before, issued = tokens.current()["refreshToken"], {"access_token": "a", "refresh_token": "r"}
    if right == RIGHT:  # The provider knows one grant.
        issued = endpoint.grant.authorize()
    answer(endpoint, {"data": [{"accessToken": issued["access_token"], "refreshToken": issued["refresh_token"]}]})
    cli("refresh", **settings)
    assert 0 == cli("recover", *WRONG, **settings).code
    if after == "run":
        endpoint.play(script.error("invalid_grant"))
        assert 2 == cli("refresh", "--force", **settings).code
    if after == "edit":
        tokens.put(tokens.current() | {"note": "edited"})
    if after == "restore":
        tokens.put("overwritten")
        assert 0 == cli("restore", "--yes", **settings).code

    again = cli("recover", *right, *named_claim(cli("recover", **settings)), **settings)

    assert 0 == again.code, again.screen
    wanted = issued["refresh_token"] if right == RIGHT else before
    assert (issued["access_token"], wanted) == tuple(tokens.current()[it] for it in ("accessToken", "refreshToken"))
    assert "fresh" == cli("refresh", "--json", **settings).json["outcome"]
    assert "stored by something else" not in cli("status", **settings).screen
    assert "refreshed" == cli("refresh", "--force", "--json", **settings).json["outcome"]


def test_a_wrong_lifetime_is_not_final(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A lifetime from another field is gone once the same response is recovered without one: its token begins anew."""
    tokens.store(expires_in=timedelta(minutes=-1))
    answer(endpoint, {"data": [{"accessToken": f"{CANARY}-access", "calls_left": 600}]})
    cli("refresh", **SINGLE_USE)
    lives = []
    for wrong in (("--expires-in=/data/0/calls_left",), ()):
        ended = cli("recover", *POINTERS, *wrong, *named_claim(cli("recover", **SINGLE_USE)), **SINGLE_USE)
        assert 0 == ended.code, ended.screen
        lives.append((tokens.current()["expiresAt"] - tokens.current()["issuedAt"]) // 1000)

    assert [600, 86_400] == lives


def test_a_token_that_was_used_since_then_is_refused(
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, settings: dict[str, str]
) -> None:
    """A run has redeemed what was recovered: it is not made current again, and the error names the way out."""
    tokens.store(expires_in=timedelta(minutes=-1))
    issued = endpoint.grant.authorize()
    answer(endpoint, {"data": [{"accessToken": issued["access_token"], "refreshToken": issued["refresh_token"]}]})
    cli("refresh", **settings)
    recovered = cli("recover", *RIGHT, **settings)
    assert "refreshed" == cli("refresh", "--force", "--json", **settings).json["outcome"]
    current = tokens.current()

    refused = cli("recover", *RIGHT, *named_claim(recovered), **settings)

    assert (2, current) == (refused.code, tokens.current())
    assert "may have been redeemed at" in refused.screen
    assert "token-refresh authorize" in refused.screen


def test_a_run_that_is_under_way(cli: Cli, held: Ended, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run may redeem what was recovered, nothing else is stored for that response: it says until when."""
    assert held.code
    options = named_claim(cli("recover", *WRONG, **SINGLE_USE))
    current = tokens.current()
    with monkeypatch.context() as patched:
        patched.setattr(Redemption, "redeem", Mock(side_effect=KeyboardInterrupt))
        cli("refresh", "--force", **SINGLE_USE)

    refused = cli("recover", *RIGHT, *options, **SINGLE_USE)

    assert (1, current) == (refused.code, tokens.current())
    assert "may be under way until" in refused.screen
    assert f"Then try again: token-refresh recover upwork-oauth-tokens --region eu-central-1 {' '.join(options)}" in (
        refused.screen
    )


@pytest.mark.usefixtures("impatient")
def test_an_unknown_claim_and_a_list_that_is_denied(cli: Cli, held: Ended, store: SecretsManagerServer) -> None:
    """Where nothing is to be recovered the error says so; which claims hold a response it says where it may look."""
    assert held.code
    assert 0 == cli("recover", *RIGHT, **SINGLE_USE).code

    unknown = cli("recover", "--claim", "c0", **SINGLE_USE)
    store.fault("deny", "ListSecretVersionIds", times=None)
    denied = cli("recover", **SINGLE_USE)
    store.faults.clear()
    store.fault("throttle", "ListSecretVersionIds", times=None)
    throttled = cli("recover", "--json", **SINGLE_USE)

    assert (1, 1, "SecretStoreUnavailable") == (unknown.code, denied.code, throttled.json["error_type"])
    assert "no response of claim c0 for secret" in unknown.screen
    assert "can be recovered again: token-refresh recover" in unknown.screen
    assert "--claim" not in denied.screen


def test_a_recovery_that_was_interrupted(cli: Cli, held: Ended, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Stored and not current yet, the tokens are made current by the same command, also when a claim came since."""
    assert held.code
    store.fault("deny", "UpdateSecretVersionStage")
    failed = cli("recover", *SENT, **SINGLE_USE)
    assert 0 == cli("pause", "--for=2h", "--why=a look", **SINGLE_USE).code

    again = cli("recover", *SENT, *named_claim(cli("recover", **SINGLE_USE)), **SINGLE_USE)

    assert (2, 0) == (failed.code, again.code), again.screen
    assert f"{CANARY}-access" == tokens.current()["accessToken"]


@pytest.mark.parametrize("provider", ["paypal", "databricks"])
def test_an_interruption_without_a_refresh_token(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint, provider: str
) -> None:
    """Where a provider has no refresh tokens, the same command goes on as well: a set without one is complete."""
    variables = {**SINGLE_USE, "PROVIDER": provider}
    tokens.store(expires_in=timedelta(hours=1), refreshToken=None)
    answer(endpoint, {"data": [{"accessToken": f"{CANARY}-access", "refreshToken": f"{CANARY}-other"}]})
    cli("refresh", "--force", **variables)
    store.fault("deny", "UpdateSecretVersionStage")
    failed = cli("recover", "--access-token=/data/0/accessToken", "--yes", **variables)

    assert 0 == cli("pause", "--for=10m", "--why=a look", **variables).code
    claim = named_claim(cli("recover", **variables))
    again = cli("recover", "--access-token=/data/0/accessToken", "--yes", *claim, **variables)

    assert (2, 0) == (failed.code, again.code), again.screen
    assert f"{CANARY}-access" == tokens.current()["accessToken"]


def test_tokens_that_do_not_fit_are_not_stored(cli: Cli, held: Ended, tokens: Tokens) -> None:
    """Where an operator's own keys fill the document, longer tokens have no room, and a new grant is the way out."""
    assert held.code
    filled = tokens.current() | {"note": ""}
    tokens.put(filled | {"note": "x" * (SIZE_LIMIT_BYTES - len(json.dumps(filled)))})

    refused = cli("recover", *POINTERS, **SINGLE_USE)

    assert (2, True) == (refused.code, "are too long for a value" in refused.screen)
    assert "token-refresh authorize" in refused.screen


def test_only_one_of_two_recoveries_stores(cli: Cli, held: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that somebody else recovered while a question waited stay, and the next run makes them current."""
    assert held.code
    others: list[Ended] = []
    monkeypatch.setattr(
        "token_refresh_admin.cli.recover.confirm", lambda _: others.append(cli("recover", *POINTERS, **SINGLE_USE))
    )

    late = cli("recover", "--access-token=/data/0/refreshToken", "--same-refresh-token", **SINGLE_USE)

    assert [0, 2] == [others[0].code, late.code]
    assert "other tokens are stored for that refresh" in late.screen
    assert "token-refresh refresh" in late.screen


def test_a_response_without_fields(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Nobody can point into a text: the way out is a new grant."""
    tokens.store(expires_in=timedelta(hours=20))
    answer(endpoint, f"your token is {CANARY}".encode(), content_type="text/plain")
    cli("refresh", "--force", **SINGLE_USE)

    shown, status = cli("recover", **SINGLE_USE), cli("status", **SINGLE_USE)

    assert "token-refresh recover" in status.screen, "a forced refresh may have used up the token of a good set"
    assert "It has no fields that can be pointed to." in shown.screen
    assert CANARY not in shown.screen
    assert "token-refresh authorize" in shown.screen


def _versions(store: SecretsManagerServer) -> Any:
    found = store.secrets.find("upwork-oauth-tokens")
    assert found is not None
    return found.versions


def test_what_is_needed_may_be_gone(cli: Cli, held: Ended, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Where the version with the token that was sent was removed, it can't be recovered; a new grant is the way out."""
    assert held.code
    assert 0 == cli("recover", *WRONG, **SINGLE_USE).code
    (response,) = [version for version in _versions(store) if "unreadResponse" in str(version.value)]
    first = min(_versions(store), key=lambda version: version.created_at)
    store.secrets.drop("upwork-oauth-tokens", first.version_id)

    gone = cli("recover", *SENT, *named_claim(cli("recover", **SINGLE_USE)), **SINGLE_USE)
    claim = named_claim(cli("recover", **SINGLE_USE))
    store.secrets.drop("upwork-oauth-tokens", response.version_id)
    response_gone = cli("recover", *claim, **SINGLE_USE)
    tokens.store(expires_in=timedelta(minutes=-1))  # A new grant needs no old response, and runs go on.

    assert "refreshed" == cli("refresh", "--json", **SINGLE_USE).json["outcome"]
    assert "no response for the current refresh token of" in cli("recover", **SINGLE_USE).screen
    assert (2, True) == (gone.code, "the refresh token that was sent for" in gone.screen), gone.screen
    for ended in (gone, response_gone):
        assert "token-refresh authorize" in ended.screen
    assert "is gone" in response_gone.screen
