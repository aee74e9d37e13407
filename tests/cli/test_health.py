"""The health of a token secret: what is wrong with it, and the command that fixes it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.operators_desk import SECRET, Desk, in_this_process
from cli.scene import SECRET_ID, Cli, Tokens
from cli.states import SINGLE_USE
from testbed.builders import DAY, HOUR, MINUTE
from testbed.provider import script
from testbed.provider.authorization_server import AuthorizationServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

PERIOD = timedelta(minutes=40)


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"expires_in": 8 * HOUR - PERIOD + MINUTE}, 0, "next run refreshes the tokens"),
        (
            {"expires_in": 8 * HOUR - PERIOD - 1.5 * MINUTE},
            1,
            "the refresh is overdue: it was due 41 min ago, a run comes every 40 min",
        ),
        ({"expires_in": -HOUR - MINUTE / 2}, 2, "the access token expired 1 h ago"),
        ({"accessToken": None}, 1, "there is no access token, or its expiry is unknown"),
        ({"expiresAt": None}, 1, "there is no access token, or its expiry is unknown"),
    ],
    ids=["due", "overdue", "expired", "no access token", "no expiry"],
)
def test_a_token_set(cli: Cli, tokens: Tokens, changes: dict[str, Any], code: int, says: str) -> None:
    """Due is healthy for one period; overdue or incomplete needs attention, and expired is broken."""
    tokens.store(**changes)

    ended = cli("status")

    assert (code, True) == (ended.code, says in ended.screen), ended.screen
    assert ("overdue" in says) == (f"token-refresh doctor {SECRET_ID} --function NAME" in ended.screen)


def test_a_dead_grant(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer) -> None:
    """A rejected grant is broken although the access token works, and hours later it is that, and not the schedule."""
    tokens.store(expires_in=DAY)
    endpoint.grant.revoke()
    refused, early = cli("refresh", "--force"), cli("status")
    store.clock_offset_seconds = int((20 * HOUR).total_seconds())
    (finding,) = cli("status", "--json").json["findings"]

    assert 2 == refused.code
    assert "the token endpoint sent no tokens: HTTP 400 with invalid_grant" in refused.err.partition("Reauthoriz")[0]
    assert f"token-refresh authorize {SECRET_ID} --region eu-central-1" in refused.err
    assert (2, True) == (early.code, "; the next scheduled attempt is after 20" in early.screen), early.screen
    assert finding["text"].startswith(f"the provider rejected the refresh token of secret {SECRET_ID}")
    assert finding["remedy"].startswith("Get a new grant with `token-refresh authorize ")
    assert "next run sends the rejected token again" in cli("status").screen


def test_the_period_that_is_deployed(cli: Cli, tokens: Tokens) -> None:
    """A refresh is late by the deployment's period; without one, tokens of an hour, due for 20 minutes, by 7."""
    tokens.store(expires_in=6 * HOUR)
    assert [0, 1] == [cli("status", RUN_PERIOD_SECONDS=seconds).code for seconds in ("9000", "3600")]

    issued = datetime.now(UTC) - timedelta(minutes=48, seconds=30)
    tokens.store(expires_in=timedelta(minutes=11, seconds=30), issuedAt=int(issued.timestamp() * 1000))
    assert "it was due 8 min ago, a run comes every 6 min" in cli("status").screen


def test_client_credentials(cli: Cli, tokens: Tokens, store: SecretsManagerServer, environment: dict[str, str]) -> None:
    """A refresh that is due says that it finds none, and does not begin; what its caller may not read is no finding."""
    environment["CLIENT_SECRET_ID"] = "client"
    tokens.store(expires_in=DAY)
    store.client().create_secret(Name="client", SecretString="canary")
    store.fault("deny", "GetSecretValue", nth=4)  # After the token secret and its claims.
    denied = cli("status")
    store.clock_offset_seconds = int((17 * HOUR).total_seconds())

    due, dry, real = cli("status"), cli("refresh", "--dry-run"), cli("refresh")

    assert (0, 2, 2, 2) == (denied.code, due.code, dry.code, real.code)
    assert "next run fails: it finds no client credentials" in due.screen
    assert "canary" not in due.screen + real.screen


def test_what_was_not_looked_at(cli: Cli, tokens: Tokens) -> None:
    """Without the function's settings nobody knows of a client secret or a copy: it says that it did not look."""
    tokens.store(expires_in=DAY, clientId=None, clientSecret=None)

    ended = cli("status")

    assert 0 == ended.code
    assert "client not checked without --function NAME" in ended.screen
    assert "published copy not checked without --function NAME" in ended.screen
    assert "client in the environment" in cli("status", UPWORK_CLIENT_ID="id", UPWORK_CLIENT_SECRET="made-up").screen


def origin(ends_in: timedelta, *, host: str = "127.0.0.1") -> dict[str, object]:
    ends_at = (datetime.now(UTC) + ends_in).isoformat()
    of_token = {"store": "versions", "lifetime_seconds": 20 * 86_400}
    return {"host": host, "grace_seconds": 0, "grant_ends_at": ends_at} | of_token


def test_the_end_of_the_grant(cli: Cli, tokens: Tokens) -> None:
    """It prints when the grant ends, and whether a refresh moves that."""
    tokens.store(expires_in=20 * DAY, tokenRefresh=origin(timedelta(days=90, seconds=30)))

    moved, fixed = cli("status", PROVIDER="zoom"), cli("status", PROVIDER="linkedin")

    assert (0, 0) == (moved.code, fixed.code)
    assert "(in 90 d), unless a refresh prolongs it" in moved.screen
    assert "(in 90 d) provider LinkedIn" in fixed.screen
    assert cli("status", "--json", PROVIDER="zoom").json["grant_ends_at"].startswith("20")


@pytest.mark.parametrize(("days", "printed"), [(5, "the grant ends in 5 d"), (-5, "the grant ended 5 d ago")])
def test_a_grant_that_ends_soon(cli: Cli, tokens: Tokens, days: int, printed: str) -> None:
    """A grant that no refresh prolongs needs a person: a week before its end it is attention, after what is worse."""
    tokens.store(expires_in=20 * DAY, tokenRefresh=origin(timedelta(days=days, seconds=30 if days > 0 else -30)))

    ended = cli("status", PROVIDER="linkedin")

    assert 1 == ended.code
    assert f"! {printed}, and no refresh prolongs it -> authorize again:" in ended.screen
    assert f"token-refresh authorize {SECRET_ID}" in ended.screen
    late = cli("status", PROVIDER="zoom")  # A refresh would prolong it, and is due after it.
    assert 1 == late.code
    assert f"! {printed}, and the next refresh is due after that -> refresh now: " in late.screen
    assert f"token-refresh refresh {SECRET_ID} --force" in late.screen

    tokens.store(expires_in=-HOUR, tokenRefresh=origin(timedelta(days=days)))
    worse = cli("status", "--json", PROVIDER="linkedin")
    assert (2, "broken") == (worse.code, worse.json["health"])
    assert ["broken", "attention"] == [finding["health"] for finding in worse.json["findings"]]


@pytest.mark.parametrize("seconds", [-1, 0])
def test_an_end_that_has_just_come_near(cli: Cli, tokens: Tokens, seconds: int) -> None:
    """Tokens that came at the very moment from which the grant counts as ending prove it, too; a second before, not."""
    ends_at = (datetime.now(UTC) + timedelta(days=5)).replace(microsecond=0)
    issued_at = ends_at - timedelta(days=7) + timedelta(seconds=seconds)
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "grant_ends_at": ends_at.isoformat()}
    tokens.store(expires_in=20 * DAY, tokenRefresh=origin, issuedAt=int(issued_at.timestamp() * 1000))

    assert ("no refresh prolongs it" in cli("status", PROVIDER="quickbooks").screen) is (seconds == 0)


def test_tokens_of_another_host(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Tokens of another host are broken with these settings; nothing is sent, and the way out is printed."""
    tokens.store(tokenRefresh={"host": "api.example.com", "grace_seconds": 0, "store": "versions"})

    status, refresh, doctor = cli("status"), cli("refresh", "--force"), cli("doctor")

    assert (2, 2, 1) == (status.code, refresh.code, doctor.code)
    assert "belongs to api.example.com, and TOKEN_ENDPOINT is at 127.0.0.1; nothing was sent" in status.screen
    assert "fails: TOKEN_ENDPOINT does not fit the stored tokens" in status.screen
    assert f"token-refresh authorize {SECRET_ID} --region eu-central-1" in status.screen
    assert "skipped token endpoint: not asked" in doctor.screen
    assert [] == endpoint.requests


def test_what_a_refresh_from_here_would_not_cure(cli: Cli, tokens: Tokens) -> None:
    """Of an overdue refresh `status` offers one from here, but not where it would fail for want of credentials."""
    tokens.store(expires_in=2 * HOUR)
    able = cli("status")
    unable = cli("status", CLIENT_SECRET_ID="nowhere")

    for ended, offered in ((able, True), (unable, False)):
        assert "the refresh is overdue" in ended.screen
        assert offered is ("Refresh from here:" in ended.screen)


def test_a_lifetime_that_is_too_short(cli: Cli, tokens: Tokens) -> None:
    """Tokens that take more claims than a day has, or die between two runs, are reported first, with the way out."""
    now = datetime.now(UTC)
    tokens.store(issuedAt=int((now - timedelta(minutes=5)).timestamp() * 1000), expires_in=timedelta(minutes=25))

    ended, slow = cli("status"), cli("status", RUN_PERIOD_SECONDS="2400")

    assert (1, 1) == (ended.code, slow.code)
    assert "its refreshes would take more than 40 claims a day, and after that many, runs wait" in ended.screen
    assert f"token-refresh claims move {SECRET_ID} --to table --table NAME --region eu-central-1" in ended.screen
    assert "runs are up to 40 min apart, and a refresh is due only 10 min before the tokens expire" in slow.screen
    assert "set schedule_minutes to 3 or less" in slow.screen


def test_locked_versions(cli: Cli, tokens: Tokens, store: SecretsManagerServer, environment: dict[str, str]) -> None:
    """Where KMS refuses the key of older versions, `history` says which, and a run brings the tokens back."""
    environment["REPLAY_GRACE_SECONDS"] = "0"
    first = tokens.store(expires_in=HOUR)
    assert 0 == cli("refresh").code
    second = str(store.client().get_secret_value(SecretId=SECRET_ID, VersionStage="AWSCURRENT")["VersionId"])
    move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": first, "RemoveFromVersionId": second}
    store.client().update_secret_version_stage(SecretId=SECRET_ID, **move)
    store.secrets.call("UpdateSecret", {"SecretId": SECRET_ID, "KmsKeyId": "new"}, now=store.now())
    store.secrets.refuse(SECRET_ID, "")

    listed = {v["version_id"]: v for v in cli("history", "--json").json["versions"]}

    assert "redeemed" == listed[first]["fate"]
    assert "locked" in {v["kind"] for v in listed.values()}
    assert "recovered" in cli("refresh").screen
    assert 0 == cli("status").code


def test_locked_tokens(cli: Cli, tokens: Tokens, store: SecretsManagerServer, environment: dict[str, str]) -> None:
    """Where the tokens that follow can't be decrypted, `status` is broken, and names the version and the key."""
    environment["REPLAY_GRACE_SECONDS"] = "0"
    tokens.store(expires_in=HOUR)
    store.fault("deny", "UpdateSecretVersionStage", times=None)
    assert 2 == cli("refresh").code
    store.secrets.call("UpdateSecret", {"SecretId": SECRET_ID, "KmsKeyId": "new"}, now=store.now())
    store.secrets.refuse(SECRET_ID, "")
    store.clock_offset_seconds += 1000

    ended = cli("status")

    assert 2 == ended.code
    assert "(label REFRESH_OUTCOME), but KMS refuses to decrypt it with key DefaultEncryptionKey" in ended.screen
    assert "KMS refuses the key of the tokens that follow" in ended.screen


def test_the_key_of_a_set_that_may_live(
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer
) -> None:
    """`status` names the key before a consent, also while the next run sends the rejected token again."""
    tokens.store(expires_in=8 * HOUR)
    dead = tokens.current()
    endpoint.grant.revoke()
    assert 2 == cli("refresh", "--force").code
    store.clock_offset_seconds += 600
    living = tokens.store(expires_in=DAY)
    for _ in range(2):
        tokens.put(dead)
    store.secrets.call("UpdateSecret", {"SecretId": SECRET_ID, "KmsKeyId": "new"}, now=store.now())
    store.secrets.refuse(SECRET_ID, "")
    store.clock_offset_seconds += 3700
    assert 2 == cli("refresh", "--force").code

    waits = cli("status")
    store.clock_offset_seconds += 7 * 3600
    sends = cli("status")

    assert "sends nothing until" in waits.screen
    assert "sends the rejected token again" in sends.screen
    for ended in (waits, sends):
        assert 2 == ended.code
        assert f"version {living} (label none), but KMS refuses to decrypt it with key" in ended.screen
        assert ended.screen.index("aws kms enable-key") < ended.screen.index("token-refresh authorize")


def test_a_request_that_the_provider_refused(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """An attempt that failed, and not for its client, is named with the way to its cause."""
    tokens.store(expires_in=8 * HOUR)
    endpoint.play(script.status(400, b'{"error": "invalid_request"}'))
    assert 2 == cli("refresh", "--force").code

    ended = cli("status")

    assert 1 == ended.code
    assert "failed: " in ended.screen
    assert "to find the cause: " in ended.screen
    assert "token-refresh doctor" in ended.screen


@pytest.mark.parametrize("body", [b'{"error": "invalid_request"}', b"{}"], ids=["code", "no code"])
def test_a_grant_that_has_perhaps_ended(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, body: bytes) -> None:
    """After three refusals of what a refresh brought, run, `status` and `doctor` name the command for a new grant."""
    tokens.store(expires_in=8 * HOUR)
    assert 0 == cli("refresh", "--force").code
    refused = []
    for _ in range(3):
        endpoint.play(script.status(400, body))
        refused.append(cli("refresh", "--force"))

    endpoint.play(script.status(400, body))
    said = [refused[-1], cli("status"), cli("doctor")]

    authorize = f"token-refresh authorize {SECRET_ID} --region eu-central-1"
    assert ["grant has perhaps ended" in ended.screen for ended in refused] == [False, False, True]
    assert [("grant has perhaps ended" in ended.screen, authorize in ended.screen) for ended in said] == [
        (True, True)
    ] * 3
    assert ('dead = [{ fields = { error = "invalid_request" } }]' in said[2].screen) == (b"invalid_request" in body)


@pytest.mark.parametrize("paused", [False, True])
def test_a_locked_claim(
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, store: SecretsManagerServer, *, paused: bool
) -> None:
    """Where the last refresh failed or was paused, and its claim can't be decrypted: its key heals it."""
    tokens.store(expires_in=8 * HOUR)
    if paused:
        assert 0 == cli("pause", **SINGLE_USE).code
    else:
        endpoint.play(script.status(400, b'{"error": "invalid_request"}'))
        cli("refresh", "--force", **SINGLE_USE)
    listed = store.client().list_secret_version_ids(SecretId=SECRET_ID)["Versions"]
    (claim,) = (version["VersionId"] for version in listed if "REFRESH_CLAIM" in version["VersionStages"])
    store.secrets.call("UpdateSecret", {"SecretId": SECRET_ID, "KmsKeyId": "new"}, now=store.now())
    store.secrets.refuse(SECRET_ID, "")
    store.clock_offset_seconds += 3700

    shown = [cli(*command, **SINGLE_USE) for command in (["status"], ["doctor"], ["refresh", "--force"])]
    assert [True, False, True] == [bool(ended.code) for ended in shown]  # for doctor nothing failed: the run waits
    for ended in shown:
        assert (
            f"in version {claim} (label REFRESH_CLAIM), but KMS refuses to decrypt it with key DefaultEncryptionKey"
            in ended.screen
        )
        assert "aws kms enable-key --key-id DefaultEncryptionKey --region eu-central-1" in ended.screen

    store.secrets.refuse(SECRET_ID, "", None)
    if paused:
        assert 0 == cli("resume", **SINGLE_USE).code
    assert "refreshed" in cli("refresh", "--force", **SINGLE_USE).screen


@pytest.mark.parametrize("listed", [True, False])
def test_a_locked_current_version(cli: Cli, tokens: Tokens, store: SecretsManagerServer, *, listed: bool) -> None:
    """Each command names label, version and key, or how to find them, and how the key can be used again."""
    current = tokens.store(expires_in=HOUR)
    store.secrets.refuse(SECRET_ID, "")
    if not listed:
        store.fault("deny", "ListSecretVersionIds", times=None)

    for command in ("status", "doctor", "refresh", "resume", "client", *(("restore",) if listed else ())):
        ended = cli(command)

        assert ended.code
        where = f"in version {current} (label AWSCURRENT)" if listed else "under label AWSCURRENT"
        assert f"the current tokens of secret {SECRET_ID} in eu-central-1 are {where}, but KMS refuses" in ended.screen
        enable = "aws kms enable-key --key-id DefaultEncryptionKey --region eu-central-1"
        assert (enable if listed else f"--include-deprecated --secret-id {SECRET_ID} --region") in ended.screen
        assert f"token-refresh authorize {SECRET_ID} --region eu-central-1" in ended.screen


def test_an_expiry_that_can_not_be_true(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """It says why the value is doubted, and the way out; while the token may not be sent, that is to correct it."""
    tokens.store(expires_in=100 * DAY + timedelta(seconds=30))

    assert ", 100 d after it was stored, and access tokens live 1 d." in cli("status").screen
    assert None is cli("status", "--json").json["expires_at"]
    endpoint.play(*[script.status(500)] * 4)
    cli("refresh", REPLAY_GRACE_SECONDS="0")
    held = cli("status", REPLAY_GRACE_SECONDS="0")
    assert "-> pipe the corrected value into: " in held.screen
    assert "nobody knows whether its refresh token was redeemed" in held.screen
    longer = "If access tokens live so long, set token_lifetime_seconds"
    assert longer in held.screen
    assert "not believed" not in cli("status", TOKEN_LIFETIME_SECONDS=str(60 * 86_400)).screen

    tokens.store(expires_in=100 * DAY, tokenRefresh=origin(DAY))
    said = cli("status", TOKEN_LIFETIME_SECONDS=str(60 * 86_400))  # The token set knows better.
    assert "and access tokens live 20 d." in said.screen
    assert longer not in said.screen


def test_a_full_secret(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A secret that has no place for the tokens that are due soon needs somebody, before a run fails."""
    tokens.store(expires_in=DAY)
    for number in range(99):
        store.client().put_secret_value(SecretId=SECRET_ID, SecretString=str(number), VersionStages=["OTHER"])

    ended = cli("status")

    assert 1 == ended.code
    assert "holds as many versions as Secrets Manager allows, and new tokens would have no place until" in ended.screen
    assert f"token-refresh history {SECRET_ID} --region eu-central-1" in ended.screen


def test_a_set_older_than_the_ledger(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moved AWSCURRENT too far back is told the version to restore, and that brings the refreshes back."""
    monkeypatch.setattr("token_refresh_worker.core.attempts.MOST_REDEMPTIONS", 1)
    environment["REPLAY_GRACE_SECONDS"] = "0"
    first = tokens.store(expires_in=HOUR, issuedAt=int((datetime.now(UTC) - HOUR).timestamp() * 1000))
    for _ in range(3):
        assert 0 == cli("refresh", "--force").code
        store.clock_offset_seconds += 25 * 3600
    newest = str(store.client().get_secret_value(SecretId=SECRET_ID, VersionStage="AWSCURRENT")["VersionId"])
    move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": first, "RemoveFromVersionId": newest}
    store.client().update_secret_version_stage(SecretId=SECRET_ID, **move)

    ended = cli("status")

    assert 2 == ended.code
    assert "are dead: they, or the tokens that followed them, were rejected, revoked or used" in ended.screen
    assert f"token-refresh restore {SECRET_ID} " in ended.screen
    assert f" --version {newest}" in ended.screen
    assert 0 == cli("restore", "--version", newest, "--yes").code
    assert 0 == cli("refresh", "--force").code


def test_status_just_after_an_older_set_was_put_back(cli: Cli, provider: AuthorizationServer, tmp_path: Path) -> None:
    """It names the set, says from when on runs fail, and the command that brings the living set back."""
    with Desk(in_this_process(cli), provider, tmp_path) as desk:
        older = desk.document
        desk.provider.revoke(older["refreshToken"])
        assert desk.run("refresh --force").code == 2
        desk.pass_time(hours=19)
        desk.done(f"authorize {SECRET}")
        living = desk.client.get_secret_value(SecretId=SECRET)["VersionId"]
        desk.put(older)
        put_back = desk.client.get_secret_value(SecretId=SECRET)["VersionId"]

        screen = desk.run("status").screen

        assert f"version {put_back}, stored at " in screen
        assert "an older token set was put back, or this read is stale. If it stays so, runs say so after" in screen
        assert f"token-refresh restore {SECRET} --version {living}" in screen
        assert "overdue" not in screen
        desk.done(f"restore {SECRET} --version {living} --yes")
        assert desk.run("status").code == 0
