"""`aws_iam_jwt` on the command line: `authorize` is the operator's own role, and `doctor` looks at the account."""

from collections.abc import Iterator

import pytest

from cli.authorizing import Paste, stored
from cli.scene import Cli, Tokens, grades
from testbed.builders import DAY
from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sts import ISSUER, Sts
from token_refresh_worker.cli.context import Context

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
        self.enabled = True


class _Iam(LoopbackHandler):
    server: Iam

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.read_body()
        if not self.server.enabled:
            error = "<Error><Type>Sender</Type><Code>FeatureDisabled</Code><Message>no</Message></Error>"
            return self.respond(404, f"<ErrorResponse>{error}</ErrorResponse>".encode())
        result = f"<IssuerIdentifier>{ISSUER}</IssuerIdentifier><JwtVendingEnabled>true</JwtVendingEnabled>"
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
    [(True, "ok", ISSUER), (False, "failed", "aws iam enable-outbound-web-identity-federation")],
)
def test_doctor_looks_at_the_account(cli: Cli, iam: Iam, *, enabled: bool, grade: str, says: str) -> None:
    """An account that issues no identity tokens is found before a refresh needs one; the issuer is named."""
    iam.enabled = enabled

    ended = cli("doctor", "--json")

    assert grade == grades(ended)["identity tokens"]
    assert says in ended.screen
