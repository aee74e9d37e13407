"""`restore`: which versions come back into use, and which are refused."""

import time
from typing import Any

import pytest

from cli.scene import SECRET_ID, Cli, Tokens, meanwhile
from testbed.builders import DAY
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


def unmarked(tokens: Tokens) -> dict[str, Any]:
    """The current document without the key that says that it was restored."""
    return {name: value for name, value in tokens.current().items() if name != "tokenRefresh"}


def test_restore(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A set whose refresh token nobody redeemed comes back whole, as a new version, once that is confirmed."""
    tokens.store(expires_in=DAY, note="the old one")
    old = tokens.current()
    newer = tokens.store(expires_in=DAY)

    declined = cli("restore", stdin="n\n")
    store.fault("drop_after", "UpdateSecretVersionStage")  # The repeat is refused, and it is current all the same.
    ended = cli("restore", stdin="y\n")

    assert (1, 0) == (declined.code, ended.code)
    assert "no recorded run redeemed its refresh token" in declined.screen
    assert "Restored. current version" in ended.screen
    assert f"replaced {newer}, now AWSPREVIOUS" in ended.screen
    assert old == unmarked(tokens)


def test_a_copy_renews_no_lifetime(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """An expiry that can't be true is a day after the token was first stored, however often that was copied since."""
    day = DAY.total_seconds()
    store.clock_offset_seconds -= 5 * day
    first = tokens.store(expires_in=400 * DAY)
    store.clock_offset_seconds += 4 * day
    copy = tokens.put(tokens.current() | {"note": "edited"})
    tokens.store(expires_in=DAY)
    store.clock_offset_seconds += day

    for version_id in (first, copy):
        cli("restore", "--version", version_id, "--yes")
        assert tokens.current()["expiresAt"] / 1000 == pytest.approx(time.time() - 4 * day, abs=60)
        assert "BROKEN" in cli("status").screen


def test_a_set_whose_token_was_used(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A run puts the tokens that it received on top of an older set, and on an edit of that; the command says so."""
    old = tokens.store(expires_in=DAY)
    document = tokens.current()
    cli("refresh", "--force")
    received = tokens.current()["accessToken"]
    edited = tokens.put(document | {"note": "kept"})
    tokens.store(expires_in=DAY)
    store.clock_offset_seconds += 330

    for version_id in (old, edited):
        asked = cli("restore", "--version", version_id, stdin="n\n")
        assert "its refresh token was redeemed at" in asked.screen
        assert "the next run brings the tokens that were received then back on top of it" in asked.screen
    assert 0 == cli("restore", "--version", edited, "--yes").code
    store.clock_offset_seconds += 330
    cli("refresh")
    assert (received, "kept") == (tokens.current()["accessToken"], tokens.current()["note"])


def test_what_became_current_meanwhile_stays(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A colleague who authorizes while the question waits keeps the new grant; the command says so, and ends with 1."""
    tokens.store(expires_in=DAY)
    tokens.store(expires_in=DAY)
    meanwhile(store, lambda: tokens.store(expires_in=DAY, refreshToken="a colleague's"))

    ended = cli("restore", "--yes")

    assert (1, "a colleague's") == (ended.code, tokens.current()["refreshToken"])
    assert "changed since this command read it: the new value stays" in ended.screen
    assert f"token-refresh status {SECRET_ID} --region eu-central-1" in ended.screen


def test_the_last_good_set(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Without --version the set under AWSPREVIOUS comes back, even if others are newer; with no default's host."""
    labelled = tokens.store(expires_in=DAY)
    old = tokens.current()
    previous = tokens.store(expires_in=DAY)
    tokens.store(expires_in=DAY)
    move = {"VersionStage": "AWSPREVIOUS", "MoveToVersionId": labelled, "RemoveFromVersionId": previous}
    store.client().update_secret_version_stage(SecretId=SECRET_ID, **move)

    assert 0 == cli("restore", "--yes", PROVIDER="", TOKEN_ENDPOINT="").code
    assert old == tokens.current()


def test_restore_without_refresh_tokens(cli: Cli, tokens: Tokens) -> None:
    """Garbage over a set without a refresh token: the set comes back; no message has one, nor an expiry."""
    wanted = tokens.store(expiresAt=None, refreshToken=None)
    old = tokens.current()
    tokens.put("a page of HTML")

    ended = cli("restore", "--yes", PROVIDER="threads")

    assert 0 == ended.code
    assert "no recorded run redeemed its access token" in ended.screen
    assert "refresh token" not in ended.screen
    assert (wanted in ended.err, "expires" in ended.err) == (True, False)
    assert old == tokens.current()


@pytest.mark.parametrize(("at_the_claim", "now", "code"), [("0", "86400", 2), ("86400", "0", 2), ("86400", "86400", 0)])
def test_restore_of_an_unknown_outcome(
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, *, at_the_claim: str, now: str, code: int
) -> None:
    """A set that may have been redeemed comes back where it had a grace, and has it now."""
    tokens.store(expires_in=DAY)
    endpoint.play(script.status(500), script.status(500), script.status(500), script.status(500))
    cli("refresh", "--force", REPLAY_GRACE_SECONDS=at_the_claim)
    tokens.store(expires_in=DAY)

    ended = cli("restore", "--yes", REPLAY_GRACE_SECONDS=now)

    assert code == ended.code
    assert "may have been redeemed (no response is recorded)" in ended.screen
    assert ("the provider accepts it again until" in ended.screen) is (code == 0)


@pytest.mark.usefixtures("impatient")
def test_what_the_settings_do_not_fit(cli: Cli, tokens: Tokens) -> None:
    """A set of another host is refused as a run would refuse it, and one with claims elsewhere; the way out is said."""
    of_host = {"host": "api.example.com", "grace_seconds": 0, "store": "versions"}
    in_table = {"host": "127.0.0.1", "grace_seconds": 0, "store": "table", "table": "claims"}
    theirs = tokens.store(expires_in=DAY, tokenRefresh=of_host)
    tokens.store(expires_in=DAY)
    current = tokens.current()
    refused = cli("restore", f"--version={theirs}", "--yes")
    assert (2, current) == (refused.code, tokens.current())
    assert "belongs to api.example.com, and TOKEN_ENDPOINT is at 127.0.0.1" in refused.screen

    tokens.store(tokenRefresh=in_table)
    current = tokens.current()
    moved = cli("restore", "--yes", CLAIM_TABLE="another")
    assert (2, current) == (moved.code, tokens.current())
    assert f"token-refresh claims move {SECRET_ID} --region eu-central-1 --to table --table another" in moved.screen


def test_what_is_no_token_set(cli: Cli, tokens: Tokens) -> None:
    """Where there is no such version the history is pointed to; other versions are refused by what they are."""
    current, other = tokens.store(expires_in=DAY), tokens.put("{}", VersionStages=["OTHER"])
    history = f"List the versions: token-refresh history {SECRET_ID} --region eu-central-1"
    refusals = {
        (): history,
        ("--version=3f0c8c35-3c0f-4d5e-8f4e-1d6e7d2b9a10",): history,
        (f"--version={current}",): "is the current one",
        (f"--version={other}",): f"version {other} holds no token set",
    }

    for arguments, said in refusals.items():
        ended = cli("restore", *arguments)
        assert (2, True) == (ended.code, said in ended.screen), ended.screen


def test_a_version_that_can_not_be_decrypted(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """After a change of the key, the error names the version, its key, and how that key can be used again."""
    locked = tokens.store(expires_in=DAY)
    for _ in range(2):
        tokens.store(expires_in=DAY)
    (secret,) = store.secrets.snapshot()
    store.secrets.call("UpdateSecret", {"SecretId": SECRET_ID, "KmsKeyId": "new"}, now=time.time())
    store.secrets.refuse(SECRET_ID, secret.key)

    ended = cli("restore", "--yes", "--version", locked)

    assert 2 == ended.code
    assert (
        f"in version {locked} (label none), but KMS refuses to decrypt it with key DefaultEncryptionKey" in ended.screen
    )
    assert "aws kms enable-key --key-id DefaultEncryptionKey --region eu-central-1" in ended.err
    assert "Allow kms:Decrypt on that key" in ended.screen


def test_nothing_older(cli: Cli, tokens: Tokens) -> None:
    """Where one key of the only set is wrong, its tokens may be the last: to correct it comes before a consent."""
    tokens.store(expiresAt="tomorrow")

    refused = cli("restore", "--yes")

    assert 2 == refused.code
    assert "has no older token set: of the current one expiresAt is not a time" in " ".join(refused.screen.split())
    put, authorize = (refused.err.index(f"  {line}") for line in ("aws secretsmanager put-", "token-refresh authorize"))
    assert put < authorize
    assert "--secret-string file:///dev/stdin" in refused.err


def test_restore_for_machines(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """One object says which version is current now, what it was made from and replaced, and whether services have it.

    A refused set is an error with its name, as everywhere.
    """
    first, second = tokens.store(expires_in=DAY), tokens.store(expires_in=DAY)

    refused = cli("restore", "--version=nothing", "--yes", "--json")
    ended = cli("restore", "--yes", "--json")
    store.client().create_secret(Name="published")
    published = cli("restore", f"--version={second}", "--yes", "--json", PUBLISHED_SECRET_ID="published")

    assert (2, "ChangeFailed") == (refused.code, refused.json["error_type"])
    assert 0 == ended.code
    assert {
        "secret_id": SECRET_ID,
        "version_id": ended.json["version_id"],
        "restored": first,
        "replaced": second,
        "note": "no recorded run redeemed its refresh token; if something else did, authorize again instead",
        "published": None,
    } == ended.json
    assert (ended.json["version_id"], True) == (published.json["replaced"], published.json["published"])
    current = store.client().get_secret_value(SecretId=SECRET_ID)
    assert published.json["version_id"] == current["VersionId"]


def test_nothing_but_junk(cli: Cli, tokens: Tokens) -> None:
    """Where nothing was ever good, the versions can be listed, and a consent gets the first token set."""
    tokens.put("junk")

    refused = cli("restore", "--yes")

    assert 2 == refused.code
    assert f"  token-refresh history {SECRET_ID} --region eu-central-1" in refused.err.splitlines()
    assert "put-secret-value" not in refused.err
