"""`authorize`: the code grant against a real authorization server, by redirect and by paste."""

import json
import re
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from cli.authorizing import Authorize, Paste, Person, brings, consent, stored
from cli.scene import SECRET_ID, Cli, Tokens, claim
from cli.shell import commands_in
from cli.worlds import Fleet
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.cli.authorize import _create_secret

REDIRECT_URI = "http://127.0.0.1/callback"


def test_first_time(cli: Cli, authorize: Authorize, store: SecretsManagerServer) -> None:
    """The first token set creates the secret, tagged by its name, with the client credentials beside the tokens."""
    ended, (page,) = authorize("shop/prod/upwork", "--tag=team=payments", "--tag=note=", stdin="y\n")

    assert 0 == ended.code
    assert "secret shop/prod/upwork does not exist. Create it in eu-central-1?" in ended.screen
    assert "Authorized: the tokens are stored." in ended.screen
    assert (200, "no-store") == (page.status_code, page.headers["Cache-Control"])
    assert "<code>shop/prod/upwork</code>" in page.text
    assert "token-refresh status shop/prod/upwork --region eu-central-1" in page.text
    document = stored(store, "shop/prod/upwork")
    assert {
        "accessToken",
        "refreshToken",
        "expiresAt",
        "issuedAt",
        "clientId",
        "clientSecret",
        "provider",
        "tokenRefresh",
    } == set(document)
    tags = {tag["Key"]: tag["Value"] for tag in store.client().describe_secret(SecretId="shop/prod/upwork")["Tags"]}
    by_name = {"app": "shop", "environment": "prod", "service": "upwork"}
    assert {**by_name, "managed-by": "token-refresh-worker", "team": "payments", "note": ""} == tags
    assert 0 == cli("status", "shop/prod/upwork").code
    assert "refreshed" == cli("refresh", "shop/prod/upwork", "--force", "--json").json["outcome"]


@pytest.mark.parametrize("arguments", [("--force",), ()])
def test_a_consent_is_refreshed_when_it_is_due_or_at_once(
    cli: Cli, authorize: Authorize, client_file: Path, store: SecretsManagerServer, arguments: tuple[str, ...]
) -> None:
    """A run died with a claim on the set before: it delays no refresh of the consent."""
    before = json.loads(client_file.read_text()) | {"accessToken": "made-up", "refreshToken": "made-up", "expiresAt": 0}
    made = store.client().create_secret(Name=SECRET_ID, SecretString=json.dumps(before))
    claim(store, made["VersionId"])
    authorized, _ = authorize(SECRET_ID)
    if not arguments:
        assert cli("refresh", "--json").json["outcome"] == "fresh"
        left = timedelta(milliseconds=stored(store)["expiresAt"]) - timedelta(seconds=time.time())
        store.clock_offset_seconds += (left - timedelta(hours=7)).total_seconds()

    refreshed = cli("refresh", "--json", *arguments)

    assert authorized.code == 0
    assert refreshed.json["outcome"] == "refreshed"


@pytest.mark.parametrize("place", [{"store": "versions"}, {"store": "table", "table": "gone"}])
def test_again(  # noqa: PLR0917 - fixtures
    cli: Cli,
    client_file: Path,
    store: SecretsManagerServer,
    person: Callable[..., Person],
    free_port: int,
    place: dict[str, str],
) -> None:
    """A new authorization keeps the document's spelling, its other keys, and the last claim; the client is from it."""
    client = json.loads(client_file.read_text())
    first = {"client_id": client["clientId"], "client_secret": client["clientSecret"], "note": "kept"}
    last_claim = {"claim": "c" * 36, "number": 7}
    origin = {"host": "old.example", "grace_seconds": 60, **place, **last_claim}
    store.client().create_secret(Name=SECRET_ID, SecretString=json.dumps(first | {"tokenRefresh": origin}))
    someone = person(consent)
    redirect = f"--redirect-uri=http://127.0.0.1:{free_port}/callback"

    refused = cli("authorize", redirect, stdin="n\n")
    ended = cli("authorize", redirect, stdin="y\n")

    assert "holds a value that is not a token document" in refused.screen
    assert (1, 0) == (refused.code, ended.code)
    assert "Cancelled: nothing was stored" in refused.screen
    someone.leave()
    document = stored(store)
    assert first.items() <= document.items()
    assert (last_claim | {"authorized": True}).items() <= document["tokenRefresh"].items()
    assert "127.0.0.1" == document["tokenRefresh"]["host"]
    assert {"access_token", "refresh_token", "expires_at"} < set(document)
    assert "holds a token set that expires at" in cli("authorize", redirect, stdin="n\n").screen
    store.client().put_secret_value(SecretId=SECRET_ID, SecretString=json.dumps(first | {"refresh_token": "r"}))
    assert "holds a token set, stored at" in cli("authorize", redirect, stdin="n\n").screen


def test_again_over_tokens_that_can_not_be_read(
    cli: Cli, client_file: Path, store: SecretsManagerServer, person: Callable[..., Person], free_port: int
) -> None:
    """A new grant needs no key of the old one: it replaces it if a person says so, after a warning, and runs go on."""
    store.client().create_secret(Name=SECRET_ID, SecretString='{"refreshToken": "old"}')
    store.fault("deny", "GetSecretValue")
    denied = cli("authorize", f"--client-file={client_file}")
    store.secrets.refuse(SECRET_ID, "")
    store.secrets.call("UpdateSecret", {"SecretId": SECRET_ID, "KmsKeyId": "new"}, now=store.now())
    someone = person(consent)
    arguments = ["authorize", f"--client-file={client_file}", f"--redirect-uri=http://127.0.0.1:{free_port}/callback"]

    unasked, refused = cli(*arguments, "--yes"), cli(*arguments, stdin="n\n")
    ended = cli(*arguments, stdin="y\n")

    someone.leave()
    assert (2, 2, 1, 0) == (denied.code, unasked.code, refused.code, ended.code)
    assert "(label AWSCURRENT), but KMS refuses" in refused.screen
    assert "holds a value that can't be read, stored at" in refused.screen
    assert "The new tokens replace all of it, with its client credentials and keys of your own" in refused.screen
    assert "The old version stays under AWSPREVIOUS" in refused.screen
    assert 0 == cli("status").code
    assert "refreshed" in cli("refresh", "--force").screen


def test_ctrl_c_while_it_stores(
    authorize: Authorize, store: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the provider has issued tokens: they are stored first, since the old grant may have ended."""

    def interrupted(*given: Any) -> str:
        signal.raise_signal(signal.SIGINT)
        return _create_secret(*given)

    monkeypatch.setattr("token_refresh_admin.cli.authorize._create_secret", interrupted)

    ended, _ = authorize()

    assert 0 == ended.code
    assert "The tokens are stored first" in ended.screen
    assert "refreshToken" in stored(store)


def test_paste(cli: Cli, client_file: Path) -> None:
    """Without a browser here, the pasted URL does; after a wrong one it asks again, five times at most."""
    fixed = ["authorize", f"--client-file={client_file}", "--paste", f"--redirect-uri={REDIRECT_URI}", "--yes"]

    foreign = cli(*fixed, stdin="http://127.0.0.1/callback?code=c&state=s\nhttp://[\nx\nx\nx\n")
    nothing = cli(*fixed)

    assert (2, 2) == (foreign.code, nothing.code)
    assert 5 == foreign.screen.count("That URL does not belong to this authorization")
    assert "no URL of this authorization was pasted in 5 tries" in foreign.screen
    assert "standard input is empty" in nothing.screen
    address = re.search(r"http://\S+authorize\?\S+", foreign.err)
    assert address is not None
    assert {"code_challenge", "state"} <= set(dict(parse_qsl(urlsplit(address[0]).query)))


def test_into_a_fleet_without_a_provider(authorize: Authorize, fleet: Fleet) -> None:
    """The command would take Upwork for the provider, and the fleet's worker another: nothing is asked or stored."""
    ended, pages = authorize("--fleet=prod")

    assert (2, []) == (ended.code, pages)
    assert "nothing names the provider of these tokens" in ended.screen
    misspelt, pages = authorize("--fleet=prdo")
    assert (2, []) == (misspelt.code, pages), "a grant would be given and not be stored"
    assert "fleet table prdo in eu-central-1 does not exist" in misspelt.screen
    (name_it,) = commands_in(ended)
    assert f"token-refresh authorize {SECRET_ID} --provider NAME" in name_it
    assert "--fleet prod" in name_it
    assert {} == fleet.tables.tables["prod"]


@pytest.mark.parametrize("key", [None, "alias/customer-7"])
def test_into_a_fleet_with_copies(
    authorize: Authorize, store: SecretsManagerServer, fleet: Fleet, environment: dict[str, str], key: str | None
) -> None:
    """The secret gets a row, is due at once, and has its claims in the fleet's table; its copy is of the same key."""
    if key:
        store.client().create_secret(Name=SECRET_ID, KmsKeyId=key)
    fleet.variables |= {"PUBLISHED_SECRET_ID": "published/{secret}", "TOKEN_ENDPOINT": environment["TOKEN_ENDPOINT"]}
    copy = f"published/{SECRET_ID}"

    ended, _ = authorize("--fleet=prod", "--provider=upwork")

    assert 0 == ended.code, ended.screen
    assert key == store.client().describe_secret(SecretId=copy).get("KmsKeyId")
    published = json.loads(store.client().get_secret_value(SecretId=copy)["SecretString"])
    assert stored(store)["accessToken"] == published["accessToken"]
    assert f"Published: secret {copy} has the new access token." in ended.screen
    assert "The secret is in fleet prod, and due at once." in ended.screen
    assert [True] == [SECRET_ID in key for key in fleet.tables.tables["prod"]]
    assert ("table", "upwork") == (stored(store)["tokenRefresh"]["store"], stored(store)["provider"])


@pytest.mark.parametrize(("lifetime_seconds", "warns"), [(600, True), (3600, False)])
def test_tokens_that_live_too_short(
    cli: Cli, paste: Paste, tokens: Tokens, lifetime_seconds: int, *, warns: bool
) -> None:
    """What the claim store has no room for is said when the tokens are stored, in the words of `status`."""
    tokens.store()
    ended = paste(response=brings(expires_in=lifetime_seconds))

    said = "he access token lives too short a time: its refreshes would take more than 40 claims a day"
    assert (0, warns) == (ended.code, f"T{said}" in ended.screen), ended.screen
    assert warns == (f"t{said}" in cli("status").screen)
    assert warns == ("token-refresh claims move" in ended.screen)
