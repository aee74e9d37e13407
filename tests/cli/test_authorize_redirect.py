"""`authorize`: the wait for the browser's redirect, at a port of this machine."""

from collections.abc import Callable
from pathlib import Path

from cli.authorizing import Person, consent, redirected, stored
from cli.scene import Cli
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


def test_foreign_visits(
    cli: Cli, client_file: Path, person: Callable[..., Person], free_port: int, store: SecretsManagerServer
) -> None:
    """A visit with another state, without a code or at another path changes nothing, and the waiting goes on."""
    someone = person(
        lambda url: redirected(url, state="forged", code="stolen"),
        redirected,
        lambda url: redirected(url).replace("/callback", "/favicon.ico"),
        consent,
    )

    ended = cli(
        "authorize", f"--client-file={client_file}", f"--redirect-uri=http://127.0.0.1:{free_port}/callback", "--yes"
    )

    assert 0 == ended.code
    assert [400, 400, 404, 200] == [page.status_code for page in someone.leave().pages]
    assert "Not the expected redirect" in someone.pages[0].text
    assert stored(store)["accessToken"]


def test_too_late(cli: Cli, client_file: Path, free_port: int) -> None:
    """It does not wait for ever."""
    redirect = f"--redirect-uri=http://127.0.0.1:{free_port}/callback"

    ended = cli("authorize", f"--client-file={client_file}", redirect, "--no-browser", "--timeout=1", "--yes")

    assert 1 == ended.code
    assert "no redirect came within 1 s" in ended.screen


def test_port_taken(cli: Cli, client_file: Path, endpoint: TokenEndpoint) -> None:
    """A port that is taken is an error before anything is asked of the provider."""
    ended = cli(
        "authorize", f"--client-file={client_file}", f"--redirect-uri=http://{endpoint.address}/callback", "--yes"
    )

    assert 1 == ended.code
    assert f"can't listen at {endpoint.address}" in ended.screen
    assert "client_id=" not in ended.screen, "no address to authorize at was printed"


def test_ipv6(cli: Cli, client_file: Path, free_port: int) -> None:
    """The loopback address may be IPv6's."""
    redirect = f"--redirect-uri=http://[::1]:{free_port}"

    ended = cli("authorize", f"--client-file={client_file}", redirect, "--no-browser", "--timeout=1", "--yes")

    assert 1 == ended.code
    assert f"redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D%3A{free_port}" in ended.err
    assert "no redirect came within 1 s" in ended.screen
