"""`authorize`: where the client credentials come from, also from the operator's own role."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.authorizing import Authorize, Paste, brings, stored, written
from cli.scene import SECRET_ID, Cli, Tokens, grades
from testbed.builders import DAY
from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sts import ISSUER, Sts
from token_refresh_admin.cli.context import Context


@pytest.mark.parametrize(
    ("content", "mode", "printed"),
    [
        ("{}", 0o600, "must be a JSON object with clientId"),
        ("not JSON", 0o600, "must be a JSON object with clientId"),
        ('{"clientId": "me", "clientSecret": " made-up"}', 0o600, "clientSecret begins or ends with white space"),
        ('{"clientId": "a", "client_id": "b"}', 0o600, "clientId and client_id are both there and differ; keep one"),
        ("{}", 0o604, "others may read"),
        ("{}", 0o640, "others may read"),
        (b"\xff\xfe", 0o600, "can't be read (not UTF-8)"),
        (None, 0o600, "there is no file"),
        ("a folder", 0o755, "can't be read (Is a directory)"),
    ],
)
def test_client_file(cli: Cli, tmp_path: Path, content: str | bytes | None, mode: int, printed: str) -> None:
    """A file of client credentials must be one, and its owner's alone; its content is not shown."""
    path = tmp_path / "client.json"
    if content == "a folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if content is not None:
        path.chmod(mode)

    ended = cli("authorize", f"--client-file={path}")

    assert (2, True) == (ended.code, printed in ended.screen)
    assert str(path) in "".join(ended.screen.split()), "a path longer than a line is broken"
    assert content != "a folder" or "chmod" not in ended.screen, "its mode is not to be changed"


@pytest.mark.parametrize("client", [{"clientId": "c"}, {"clientId": "c", "clientSecret": ""}])
def test_a_client_without_a_secret(authorize: Authorize, cli: Cli, tmp_path: Path, client: dict[str, str]) -> None:
    """Where the exchange needs a client secret, the browser does not open without one, and nothing is stored."""
    written(tmp_path, client)  # The file that `authorize` names.

    ended, pages = authorize("--timeout=1", visits=())

    assert (2, []) == (ended.code, pages)
    assert "which needs a client secret, and there is none" in ended.screen
    assert 3 == cli("status").code


def test_a_public_client_replaces_another(paste: Paste, store: SecretsManagerServer) -> None:
    """It is asked for no secret, and nothing of the old client's credentials stays beside the tokens."""
    store.client().create_secret(Name=SECRET_ID, SecretString='{"clientId": "old", "clientSecret": "hush"}')

    ended = paste("--client-id=new", TOKEN_ENDPOINT_AUTH_METHOD="none")

    assert 0 == ended.code, ended.screen
    assert ("new", None) == (stored(store)["clientId"], stored(store).get("clientSecret"))


def test_client_secret_elsewhere(cli: Cli, store: SecretsManagerServer) -> None:
    """Where the function reads the client credentials from a secret of their own, others are not taken."""
    value = json.dumps({"clientId": "known", "clientSecret": "hush"})
    store.client().create_secret(Name="client", SecretString=value)

    ended = cli("authorize", "--client-id=other", CLIENT_SECRET_ID="client")

    assert 2 == ended.code
    assert "reads the client credentials from secret client (CLIENT_SECRET_ID)" in ended.screen


@pytest.fixture
def credentials(endpoint: TokenEndpoint, tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    """Those of the only client of a generic provider; a file has them, too."""
    environment["PROVIDER"] = "generic"
    found = {"clientId": endpoint.client_id, "clientSecret": endpoint.client_secret}
    written(tmp_path, found)
    return found


def test_a_client_that_no_run_can_read(
    paste: Paste, credentials: dict[str, str], store: SecretsManagerServer, tmp_path: Path
) -> None:
    """Garbage in the client's secret is replaced by a client that is given, and by no question for one."""
    store.client().create_secret(Name="client", SecretString="garbage")

    refused = paste(CLIENT_SECRET_ID="client")
    ended = paste(f"--client-file={tmp_path / 'client.json'}", CLIENT_SECRET_ID="client")

    assert (2, 0) == (refused.code, ended.code), ended.screen
    assert f"Store them, which takes no consent: token-refresh client {SECRET_ID}" in refused.screen
    assert credentials == stored(store, "client")


@pytest.mark.parametrize("name", ["client", SECRET_ID])
def test_marked_for_deletion(cli: Cli, store: SecretsManagerServer, client_file: Path, name: str) -> None:
    """A secret of tokens or of the client that comes back with one command is not written anew."""
    store.client().create_secret(Name=name, SecretString="{}")
    store.client().delete_secret(SecretId=name)

    ended = cli("authorize", f"--client-file={client_file}", "--yes", CLIENT_SECRET_ID="client")

    assert 2 == ended.code
    assert f"aws secretsmanager restore-secret --secret-id {name} --region eu-central-1" in ended.screen
    assert "new secret" not in ended.screen


def test_the_first_client_of_a_fleet(
    paste: Paste, credentials: dict[str, str], store: SecretsManagerServer, tmp_path: Path
) -> None:
    """The client is stored where runs read it, and not beside the tokens; the next customer needs none."""
    given = f"--client-file={tmp_path / 'client.json'}"

    for customer, options in (("customers/1", (given,)), ("customers/2", ())):
        ended = paste(customer, *options, CLIENT_SECRET_ID="clients/{provider}")
        assert 0 == ended.code
        assert bool(options) == ("The client is stored in secret clients/generic, where runs" in ended.screen)
        assert {"clientId", "clientSecret"}.isdisjoint(stored(store, customer))

    assert credentials == stored(store, "clients/generic")


@pytest.mark.parametrize(
    ("response", "remembered"), [({}, ["read", "write"]), ({"scope": ""}, []), ({"scope": "read"}, ["read"])]
)
def test_the_scopes_of_the_first_tokens(  # noqa: PLR0917 - fixtures
    paste: Paste,
    endpoint: TokenEndpoint,
    store: SecretsManagerServer,
    tmp_path: Path,
    response: dict[str, str],
    remembered: list[str],
) -> None:
    """Scopes that a response omits are those that the page was asked for, divided as the page wants them."""
    (tmp_path / "crm.toml").write_text(
        f'title = "CRM"\nrotation = "always"\ngrace = 0\ntoken_endpoint = "{endpoint.url}"\n[request]\nauth = "none"\n'
        '[authorization]\nendpoint = "https://crm.example/page"\nscopes = ["read", "write"]\nscope_separator = "+"\n'
        '[[evidence]]\nsays = "None"\nsource = "https://crm.example/docs"\non = 2026-11-27\n'
    )
    settings = {"PROVIDER_PROFILES": str(tmp_path), "PROVIDER": "crm", "TOKEN_ENDPOINT": ""}

    ended = paste("--client-id=me", response=brings(**response), **settings)

    assert 0 == ended.code, ended.screen
    assert remembered == stored(store)["tokenRefresh"]["scopes"]


METHOD = {"TOKEN_ENDPOINT_AUTH_METHOD": "aws_iam_jwt", "CLIENT_ASSERTION_AUDIENCE": "api://provider"}


@pytest.fixture
def sts(environment: dict[str, str], endpoint: TokenEndpoint) -> Iterator[Sts]:
    environment |= {"TOKEN_ENDPOINT": endpoint.url, **METHOD}
    with Sts() as server:
        environment |= server.environment
        yield server


def test_authorize_asks_for_no_client_secret(paste: Paste, store: SecretsManagerServer, sts: Sts) -> None:
    """The code is exchanged with an assertion of the operator's role, and no client secret is asked for or stored."""
    ended = paste("--client-id=me")

    assert 0 == ended.code, ended.screen
    assert ("me", None) == (stored(store)["clientId"], stored(store).get("clientSecret"))
    assert ["api://provider"] == [asked["Audience.member.1"] for asked in sts.asked]


@pytest.mark.usefixtures("sts")
def test_a_provider_that_does_not_know_the_operator(paste: Paste) -> None:
    """The operator's role is another one than the function's: the error says so, and how to find its name."""
    ended = paste("--client-id=me", response=script.error("invalid_client", http_status=401))

    assert 2 == ended.code
    assert "which names your own AWS role" in ended.screen
    assert "aws iam get-role --role-name NAME --query Role.Arn" in ended.screen


class Iam(LoopbackServer):
    """IAM, asked whether the account issues identity tokens."""

    def __init__(self) -> None:
        super().__init__(_Iam)
        self.enabled: bool | None = True
        """None: nobody ever enabled it."""


class _Iam(LoopbackHandler):
    server: Iam

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.read_body()
        if self.server.enabled is None:
            error = "<Error><Type>Sender</Type><Code>FeatureDisabled</Code><Message>no</Message></Error>"
            return self.respond(404, f"<ErrorResponse>{error}</ErrorResponse>".encode())
        enabled = f"<JwtVendingEnabled>{str(self.server.enabled).lower()}</JwtVendingEnabled>"
        result = f"<IssuerIdentifier>{ISSUER}</IssuerIdentifier>{enabled}"
        name = "GetOutboundWebIdentityFederationInfo"
        return self.respond(200, f"<{name}Response><{name}Result>{result}</{name}Result></{name}Response>".encode())


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], tokens: Tokens) -> Iterator[Iam]:
    tokens.store(expires_in=DAY)
    monkeypatch.setattr(Context, "has_all_of_aws", property(lambda _: True))
    environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    with Iam() as server:
        environment["AWS_ENDPOINT_URL_IAM"] = f"http://{server.address}"
        yield server


@pytest.mark.usefixtures("sts")
@pytest.mark.parametrize(
    ("enabled", "grade", "says"),
    [
        (True, "ok", ISSUER),
        (False, "failed", "aws iam enable-outbound-web-identity-federation"),
        (None, "failed", "aws iam enable-outbound-web-identity-federation"),
    ],
)
def test_doctor_looks_at_the_account(cli: Cli, iam: Iam, *, enabled: bool | None, grade: str, says: str) -> None:
    """An account that issues no identity tokens is found before a refresh needs one; the issuer is named."""
    iam.enabled = enabled

    ended = cli("doctor", "--json")

    assert grade == grades(ended)["identity tokens"]
    assert says in ended.screen
