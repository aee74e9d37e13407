"""`revoke`: a grant ends at its provider, and the secret, its published copy and the fleet's row say so."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.authorizing import stored
from cli.issuer import fill_template
from cli.scene import SECRET_ID, Cli, Tokens
from cli.shell import commands_in
from cli.worlds import IN_FLEET, Fleet
from fleet.doubles import MemoryIndex
from testbed.builders import NOW
from testbed.provider.authorization_server import AuthorizationServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.fleet.core.row import Row, State

PUBLISHED = "published"


@pytest.fixture
def grant(
    provider: AuthorizationServer, store: SecretsManagerServer, environment: dict[str, str], tmp_path: Path
) -> str:
    """A grant at the real authorization server, in a secret with a published copy; its refresh token."""
    environment |= {"PROVIDER_PROFILES": str(tmp_path), "PUBLISHED_SECRET_ID": PUBLISHED}
    profile = fill_template(provider.issuer, provider.authorization_endpoint, provider.token_endpoint)
    (tmp_path / "my-idp.toml").write_text(profile)
    tokens, (client_id, client_secret) = provider.authorize(), provider.client()
    document = {
        "accessToken": tokens["access_token"],
        "refreshToken": tokens["refresh_token"],
        "expiresAt": round(time.time() + 36_000) * 1000,
        "issuedAt": round(time.time()) * 1000,
        "clientId": client_id,
        "clientSecret": client_secret,
        "provider": "my-idp",
    }
    store.client().create_secret(Name=SECRET_ID, SecretString=json.dumps(document))
    store.client().create_secret(Name=PUBLISHED, SecretString=json.dumps({"accessToken": tokens["access_token"]}))
    return str(tokens["refresh_token"])


def test_a_grant_is_revoked(cli: Cli, grant: str, provider: AuthorizationServer, store: SecretsManagerServer) -> None:
    """After a yes the provider accepts the token no more, and secret and copy hold none and say since when."""
    assert provider.accepts(grant)

    ended = cli("revoke", stdin="y\n")

    assert 0 == ended.code, ended.screen
    assert f"Revoke the grant in secret {SECRET_ID} in eu-central-1 at 127.0.0.1? No token of it works" in ended.screen
    assert "Revoked: the secret holds no tokens." in ended.screen
    assert not provider.accepts(grant)
    assert [] == [secret for secret in (grant, provider.client()[1]) if secret in ended.screen]
    document, copy = stored(store, SECRET_ID), stored(store, PUBLISHED)
    assert {"clientId", "clientSecret", "provider", "refreshToken", "tokenRefresh"} == set(document)
    assert document["refreshToken"] is None, "it says the spelling"
    assert {"revokedAt", "sourceVersionId"} == set(copy)
    assert document["tokenRefresh"]["revoked_at"] == copy["revokedAt"]
    status = cli("status")
    assert (2, True) == (status.code, "was revoked on purpose at" in status.screen)
    assert [f"token-refresh authorize {SECRET_ID} --region eu-central-1"] == commands_in(status)
    assert (2, True) == ((failed := cli("refresh", "--force", "--yes")).code, "SecretEmpty" in failed.screen)


def test_nothing_without_a_yes(cli: Cli, grant: str, provider: AuthorizationServer) -> None:
    """A no ends the command before anything is sent or stored."""
    ended = cli("revoke", stdin="n\n")

    assert (1, True) == (ended.code, ended.screen.endswith("Cancelled: nothing was stored."))
    assert provider.accepts(grant)


def test_what_else_ends(cli: Cli, grant: str, provider: AuthorizationServer, tmp_path: Path) -> None:
    """Where a revocation ends more than this grant, that is said before the question, and also where none is asked."""
    profile = tmp_path / "my-idp.toml"
    profile.write_text(f'{profile.read_text()}\n[revocation]\nnote = "It ends the grants of other customers, too"\n')

    asked = cli("revoke", stdin="n\n")

    warning, question = "warning: It ends the grants of other customers, too", "Revoke the grant in secret"
    assert 0 <= asked.screen.index(warning) < asked.screen.index(question)
    assert provider.accepts(grant)
    assert (0, True) == ((ended := cli("revoke", "--yes")).code, warning in ended.screen)


@pytest.mark.usefixtures("grant")
def test_a_grant_that_was_revoked_meanwhile(
    cli: Cli, store: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grant that somebody else revoked while a question waited is revoked once, and the error says since when."""
    others: list[str] = []

    def revoked(_: str) -> None:
        assert 0 == cli("revoke", "--yes").code
        others.append(str(store.client().describe_secret(SecretId=SECRET_ID)["VersionIdsToStages"]))

    monkeypatch.setattr("token_refresh_admin.cli.revoke.confirm", revoked)

    late = cli("revoke")

    assert (2, True) == (late.code, "was revoked on purpose at" in late.screen)
    assert others == [str(store.client().describe_secret(SecretId=SECRET_ID)["VersionIdsToStages"])]


@pytest.mark.usefixtures("grant")
def test_a_copy_that_was_left_behind(cli: Cli, store: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the copy could not be updated, the same command does that alone, and asks and sends nothing."""
    with monkeypatch.context() as patched:
        move = SecretsManagerSecret.move_label
        patched.setattr(
            SecretsManagerSecret,
            "move_label",
            lambda self, *label, **where: PUBLISHED not in self.arn and move(self, *label, **where),
        )
        ended = cli("revoke", "--yes")
    assert (2, True) == (ended.code, "a run published to secret published meanwhile" in ended.screen)
    assert [f"token-refresh revoke {SECRET_ID} --region eu-central-1"] == commands_in(ended)
    version_id = store.client().describe_secret(SecretId=SECRET_ID)

    store.client().create_secret(Name="empty")
    again, once_more, never = cli("revoke"), cli("revoke"), cli("revoke", PUBLISHED_SECRET_ID="empty")

    assert [0, 0, 0] == [again.code, once_more.code, never.code], again.screen
    assert "revokedAt" in stored(store, "empty"), "an empty copy says it, too"
    assert "revokedAt" in stored(store, PUBLISHED)
    assert 0 == cli("revoke", PUBLISHED_SECRET_ID="").code, "a secret is never its own copy"
    assert version_id["VersionIdsToStages"] == store.client().describe_secret(SecretId=SECRET_ID)["VersionIdsToStages"]


def test_a_provider_without_an_endpoint(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """The error says where to end the grant by hand, and with which command the secret then says so."""
    tokens.store()

    refused = cli("revoke", "--yes")

    assert 2 == refused.code
    assert "Sign in to Any RFC 6749 server " in cli("revoke", "--yes", PROVIDER="generic").screen
    assert "the profile upwork has no revocation endpoint for 127.0.0.1; nothing was sent or stored" in refused.screen
    assert (
        "Sign in to Upwork (www.upwork.com) as the user who gave the grant, and disconnect this client"
        in refused.screen
    )
    tokens.store(providerVariables={"subdomain": "acme"})
    assert (
        "Zendesk (acme.zendesk.com) as the user" in cli("revoke", "--yes", PROVIDER="zendesk", TOKEN_ENDPOINT="").screen
    )
    tokens.store()
    slack = " ".join(cli("revoke", "--yes", PROVIDER="slack").screen.split())
    assert "auth.revoke ends an access token only; " in slack
    assert ". Or sign in to Slack (token rotation) (slack.com) as the user who gave the grant" in slack
    by_hand = f"token-refresh revoke {SECRET_ID} --by-hand --region eu-central-1 --provider"
    assert [True] == [line.startswith(by_hand.removesuffix(" --provider")) for line in commands_in(refused)]
    assert "refreshToken" in tokens.current()
    asked = cli("revoke", "--by-hand", stdin="y\n")
    assert (0, True) == (asked.code, "because you have revoked them at Upwork?" in asked.screen)
    assert tokens.current()["refreshToken"] is None
    assert [] == endpoint.requests


def test_a_client_without_a_grant(cli: Cli, tokens: Tokens) -> None:
    """Client credentials have no grant that could end: their owner deletes the client."""
    tokens.put({"clientId": "me", "clientSecret": "made-up"})

    ended = cli("revoke", "--yes", PROVIDER="paypal", TOKEN_ENDPOINT="")

    assert (2, True) == (ended.code, "PayPal has no grant" in ended.screen)


@pytest.fixture
def member(grant: str, store: SecretsManagerServer, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> MemoryIndex:
    """The grant's secret is a member of a fleet, whose index this is."""
    assert grant
    store.client().tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "token-refresh:fleet", "Value": "prod"}])
    document = stored(store, SECRET_ID) | {"tokenRefresh": IN_FLEET}
    store.client().put_secret_value(SecretId=SECRET_ID, SecretString=json.dumps(document))
    index = MemoryIndex(now=datetime.now(UTC))
    arn = store.client().describe_secret(SecretId=SECRET_ID)["ARN"]
    index.add(Row(secret_arn=arn, provider="my-idp", added_at=NOW, next_at=NOW))
    monkeypatch.setattr("token_refresh_admin.cli.membership.find_index", lambda *_: index)
    fleet.variables |= {"PUBLISHED_SECRET_ID": "published/{secret}", "PROVIDER_PROFILES": "in the zip"}
    return index


def test_a_member_of_a_fleet(
    cli: Cli, member: MemoryIndex, grant: str, provider: AuthorizationServer, store: SecretsManagerServer
) -> None:
    """A member is revoked with its fleet's claims; its row says so at once, and its copy holds no token any more."""
    copy = f"published/{SECRET_ID}"
    store.client().create_secret(Name=copy, SecretString='{"accessToken": "old"}')

    ended = cli("revoke", "--yes")

    assert 0 == ended.code, ended.screen
    assert not provider.accepts(grant)
    assert {"revokedAt", "sourceVersionId"} == set(stored(store, copy))
    ((seen,),) = ([row.seen] for row in member.rows())
    assert seen is not None
    assert (State.EMPTY, "SecretEmpty", None) == (seen.state, seen.error_type, seen.tokens.expires_at)


def test_a_member_without_a_row(cli: Cli, member: MemoryIndex) -> None:
    """A fleet that has no row yet hears of it from its next run."""
    (row,) = member.rows()
    member.remove(row.secret_arn, NOW, quietly=True)

    ended = cli("revoke", "--yes")  # Nobody made its copy, which keeps nobody from revoking.

    assert (0, True) == (ended.code, "Revoked: the secret holds no tokens." in ended.screen), ended.screen
    assert "The fleet's table doesn't show it yet" in ended.screen
