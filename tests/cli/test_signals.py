"""What ends a command from outside, in real processes: SIGTERM, SIGHUP, and a terminal that closes."""

import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cli.authorizing import consent
from cli.scene import SECRET_ID, Tokens
from cli.terminals import Screen, Terminal
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

DAY = timedelta(days=1)


Strike = Callable[[Screen], None]


def _send(*numbers: signal.Signals) -> Strike:
    def strike(child: Screen) -> None:
        for number in numbers:
            child.kill(number)

    return strike


CLOSES = pytest.param(Screen.close, id="the terminal closes")
SYSTEMD = _send(signal.SIGTERM, signal.SIGHUP, signal.SIGCONT, signal.SIGTERM)


@pytest.mark.parametrize("strike", [CLOSES, pytest.param(SYSTEMD, id="systemd, twice")])
def test_a_refresh_stores_its_tokens_first(
    terminal: Terminal, tokens: Tokens, endpoint: TokenEndpoint, strike: Strike
) -> None:
    """The provider has redeemed the token and not responded yet: whatever ends the command, the tokens are stored."""
    tokens.store(expires_in=timedelta(hours=1))
    before = tokens.current()
    endpoint.play(script.hold("after_commit"))

    child = terminal("refresh")
    endpoint.wait_until_held()
    strike(child)
    endpoint.release()
    child.wait()

    assert before["refreshToken"] != tokens.current()["refreshToken"]
    assert 1 == endpoint.grant.redemptions


@pytest.mark.parametrize(
    ("arguments", "strike"),
    [
        (("authorize",), Screen.close),
        (("restore",), _send(signal.SIGTERM)),
        (("claims", "move", "--to=table", "--table=claims"), Screen.close),
    ],
    ids=["authorize, closed terminal", "restore, SIGTERM", "move, closed terminal"],
)
def test_a_command_stores_first(  # noqa: PLR0917 - fixtures
    terminal: Terminal,
    tokens: Tokens,
    store: SecretsManagerServer,
    client_file: Path,
    environment: dict[str, str],
    arguments: tuple[str, ...],
    strike: Strike,
) -> None:
    """A write whose connection is cut is repeated, although something ends the command meanwhile."""
    pasted = arguments == ("authorize",)
    options: tuple[str, ...] = () if arguments[0] == "claims" else ("--yes",)  # a move asks nothing
    options += (f"--client-file={client_file}", "--paste", "--no-browser") if pasted else ()
    with DynamoDbServer() as table:
        table.create_table("claims", key="secret_arn")
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = table.url
        before = [tokens.store(expires_in=DAY) for _ in range(2)]

        if pasted:
            child = terminal(*arguments, *options)
            child.expect(r"(http://\S+authorize\S+)\s")  # the write that shows that it may write is over
            address = consent(child.match[1])
            held = store.fault("hold_before", "PutSecretValue")
            child.type_hidden(address)
        else:
            held = store.fault("hold_before", "PutSecretValue")
            child = terminal(*arguments, *options)
        held.wait()
        strike(child)
        held.release(apply=False)
        child.wait()

        assert store.client().get_secret_value(SecretId=SECRET_ID)["VersionId"] not in before


def test_before_anything_is_sent_a_signal_ends_the_command(
    terminal: Terminal, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint
) -> None:
    """What has not begun needs no end: the command dies of the signal, and nothing is sent or stored."""
    tokens.store(expires_in=timedelta(hours=1))
    before = store.secrets.snapshot()
    held = store.fault("hold_before", "GetSecretValue")

    child = terminal("refresh")
    held.wait()
    child.kill(signal.SIGTERM)
    child.wait()
    held.release(apply=False)

    assert -signal.SIGTERM == child.status
    assert not endpoint.requests
    assert before == store.secrets.snapshot()
