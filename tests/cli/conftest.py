import contextlib
import copy
import functools
import io
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

import httpx
import pytest
import typer.main
from selenium import webdriver

from cli.authorizing import STATE, Authorize, Pages, Paste, Person, brings, consent, redirect_of, written
from cli.aws import Account, Aws, Simulator
from cli.scene import Cli, Ended, Tokens, secret_values
from cli.terminals import Screen, Terminal
from cli.worlds import Fleet, Place, opened
from testbed import ports
from testbed.browser import chromium
from testbed.builders import DAY
from testbed.dynamodb.server import DynamoDbServer
from testbed.process import Child
from testbed.provider import script
from testbed.provider.authorization_server import AuthorizationServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.moto_server import MotoServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.aws.clients import Clients
from token_refresh_admin.cli import main, redirect
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.response import FailedRequest

OF_PYTHON = re.compile(
    r"\b(CommandFailed(?! was raised here)|Cancelled\b(?!:)|CallFailed|ForeignRedirect|NoneType|None"
    r"|JSON (str|dict|list|int|float|bool)"
    r"|(?<!InternalError: )(?<!failed with )\w*(Value|Type|Key|Attribute|Index|OS|Decode|Directory)Error"
    r"(?! was raised here))\b"
)
"""What only a Python programmer knows; `InternalError: ` and --debug are for reports of defects."""

# Each command would build all commands anew, from their signatures.
typer.main.get_command = functools.cache(typer.main.get_command)

needs_browser = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="no Chromium with its driver (Debian: apt-get install chromium chromium-driver)",
)
REGIONS = ["eu-central-1", "us-east-1"]
"""Where a secret that is not found is looked for: a client for each of 30 regions takes a quarter of a second."""
KEPT = ("PATH", "LANG", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """`authorize` connects to the token endpoint first: no test does that to a provider."""
    reach = HttpTokenEndpoint.reach

    def within(endpoint: HttpTokenEndpoint, *, timeout_seconds: float) -> FailedRequest | None:
        is_here = endpoint.url.startswith("https://localhost:")
        return reach(endpoint, timeout_seconds=timeout_seconds) if is_here else None

    monkeypatch.setattr(HttpTokenEndpoint, "reach", within)


@pytest.fixture
def store() -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer() as server:
        yield server


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(reuse="grace") as server:
        yield server


@pytest.fixture(scope="session")
def provider() -> Iterator[AuthorizationServer]:
    with AuthorizationServer() as server:
        yield server


@pytest.fixture(scope="session")
def single_use() -> Iterator[AuthorizationServer]:
    with AuthorizationServer(grace_seconds=0) as server:
        yield server


@pytest.fixture
def environment(store: SecretsManagerServer, tmp_path: Path) -> dict[str, str]:
    """A terminal of 80 columns without colour, on a machine whose owner has set nothing but the servers' addresses."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {
        **kept,
        **store.environment,
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "COLUMNS": "80",
        "HOME": str(tmp_path),
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path, forks: Child) -> Iterator[Terminal]:
    """Start a command in a terminal of its own; each is ended with the test."""
    written(tmp_path, {"clientId": "mine", "clientSecret": "made-up"})
    started: list[Screen] = []

    def start(*arguments: str) -> Screen:
        started.append(Screen(forks.announced["address"], arguments, tmp_path, environment))
        return started[-1]

    yield start
    for screen in started:
        screen.end()


@pytest.fixture
def cli(environment: dict[str, str], store: SecretsManagerServer) -> Cli:
    """Run the command line in this process, with what a process of its own would have; no command prints a secret."""

    def run(*arguments: str, stdin: str | Callable[[io.StringIO], io.StringIO] = "", **variables: str) -> Ended:
        out, err, code = io.StringIO(), io.StringIO(), 0
        given: Mapping[str, str] = environment | variables
        with (
            mock.patch.dict(os.environ, given, clear=True),
            mock.patch.object(Clients, "regions", return_value=REGIONS),
            mock.patch.object(sys, "stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin(err)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main(arguments)
            except SystemExit as ended:
                code = int(ended.code or 0)
        result = Ended(code=code, out=out.getvalue(), err=err.getvalue())
        assert not OF_PYTHON.search(result.screen), result.screen
        assert not any(value in result.out + result.err for value in secret_values(store)), "a secret was printed"
        return result

    return run


@pytest.fixture
def tokens(store: SecretsManagerServer, endpoint: TokenEndpoint, environment: dict[str, str]) -> Tokens:
    """A secret with a live grant, at the scriptable token endpoint."""
    environment |= {"PROVIDER": "upwork", "TOKEN_ENDPOINT": endpoint.url}
    return Tokens(store, endpoint)


@pytest.fixture
def fleet(environment: dict[str, str]) -> Iterator[Fleet]:
    with DynamoDbServer() as tables, Aws() as aws:
        made = Fleet(tables, aws)
        environment |= made.environment
        yield made


@pytest.fixture
def client_file(provider: AuthorizationServer, environment: dict[str, str], tmp_path: Path) -> Path:
    """A file with a client's credentials, and the settings of the authorization server that knows the client."""
    environment |= {"PROVIDER": "upwork", "TOKEN_ENDPOINT": provider.token_endpoint}
    environment["AUTHORIZATION_ENDPOINT"] = provider.authorization_endpoint
    client_id, client_secret = provider.client()
    return written(tmp_path, {"clientId": client_id, "clientSecret": client_secret})


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Person]:
    """Put someone at the browser, who makes the visits given."""

    def sits(*visits: Callable[[str], str]) -> Person:
        someone = Person(*visits)
        # The person shares this process: a busy machine can hold it between a connection and its request.
        monkeypatch.setattr(redirect, "_CONNECTION_SECONDS", 60.0)
        monkeypatch.setattr("token_refresh_admin.cli.authorize.opened", someone.opened)
        return someone

    return sits


@pytest.fixture
def authorize(cli: Cli, client_file: Path, person: Callable[..., Person], free_port: int) -> Authorize:
    """Authorize with a client's file and a redirect to this machine; who sits at the browser makes the visits."""

    def run(
        *arguments: str, visits: Sequence[Callable[[str], str]] = (consent,), stdin: str = "", **variables: str
    ) -> tuple[Ended, Pages]:
        someone = person(*visits)
        fixed = (f"--client-file={client_file}", f"--redirect-uri=http://127.0.0.1:{free_port}/callback")
        yes = () if stdin else ("--yes",)
        return cli("authorize", *arguments, *fixed, *yes, stdin=stdin, **variables), someone.leave()

    return run


@pytest.fixture
def paste(cli: Cli, endpoint: TokenEndpoint, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Paste:
    """Authorize at the scriptable token endpoint by an address with the right state; `stdin` answers questions, too."""
    environment["TOKEN_ENDPOINT"] = endpoint.url
    monkeypatch.setattr("token_refresh_admin.changes.authorization_request.secrets.token_urlsafe", lambda _: STATE)

    def run(*arguments: str, response: script.Script | None = None, stdin: str = "", **variables: str) -> Ended:
        endpoint.play(response or brings())
        yes = () if stdin else ("--yes",)
        page = "--authorization-endpoint=https://example.com/authorize"
        return cli("authorize", "--paste", *yes, page, *arguments, stdin=stdin or redirect_of(), **variables)

    return run


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call to AWS that fails not be tried again for ten seconds."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)


@pytest.fixture
def free_port() -> int:
    return ports.free_port()


@pytest.fixture(scope="session")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def simulator(environment: dict[str, str]) -> Iterator[Simulator]:
    with Simulator() as server:
        environment["AWS_ENDPOINT_URL_IAM"] = f"http://{server.address}"
        yield server


@pytest.fixture
def account(moto: MotoServer, tokens: Tokens, environment: dict[str, str], simulator: Simulator) -> Iterator[Account]:
    del simulator
    tokens.store(expires_in=DAY)
    environment["AWS_ENDPOINT_URL"] = moto.url
    yield Account(moto.url, PROVIDER="upwork", TOKEN_ENDPOINT=environment["TOKEN_ENDPOINT"])
    httpx.post(f"{moto.url}/moto-api/reset", trust_env=False, timeout=60)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path) as driver:
        yield driver


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Place, Callable[[], None]]]:
    """One place for all, and what brings it back to its beginning."""
    with opened() as place:
        secrets, aws = place.store.secrets.snapshot(), copy.deepcopy(place.aws.function)

        def begin_anew() -> None:
            place.store.secrets.restore(secrets)
            place.store.forget_past()
            place.store.authorize, place.aws.shows_function = None, True
            place.aws.function = copy.deepcopy(aws)
            for items in place.tables.tables.values():
                items.clear()
            for provider in (place.endpoint, place.other):
                provider.requests.clear()
                provider.unplay()

        yield place, begin_anew


@pytest.fixture
def place(served: tuple[Place, Callable[[], None]], monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("token_refresh_admin.changes.authorization_request.secrets.token_urlsafe", lambda _: STATE)
    place, begin_anew = served
    begin_anew()
    return place


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The hosts that were looked up and are not this machine; none is reached."""
    asked, find = set[str](), socket.getaddrinfo

    def look_up(host: object, *rest: object, **more: object) -> object:
        if str(host) not in {"127.0.0.1", "localhost"}:
            asked.add(str(host))
            raise socket.gaierror
        return find(host, *rest, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked
