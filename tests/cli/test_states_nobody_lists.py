"""States that no page lists: what `status` and `doctor` say is true, what they print repairs, and a service reads."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cli.authorizing import paste_into
from cli.scene import SECRET_ID, Cli, Ended, Tokens
from testbed.builders import DAY
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import TokenReader

PUBLISHED = {"PUBLISHED_SECRET_ID": "published"}


class Desk:
    """Two operators, one secret and its published copy."""

    def __init__(self, cli: Cli, tokens: Tokens, store: SecretsManagerServer, authorize: Callable[[], Ended]) -> None:
        self.tokens, self.store, self.authorize, self._cli = tokens, store, authorize, cli

    def run(self, *arguments: str) -> Ended:
        return self._cli(*arguments, COLUMNS="500", **PUBLISHED)

    def printed(self, ended: Ended, command: str) -> Ended:
        """Run a command that was printed, without its questions."""
        line = f"token-refresh {command} {SECRET_ID}"
        assert line in ended.screen, ended.screen
        return (
            self.authorize()
            if command == "authorize"
            else self.run(command, *(("--yes",) if command == "restore" else ()))
        )


@pytest.fixture
def desk(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Desk:
    def authorize() -> Ended:
        endpoint.play(script.status(200, {**endpoint.grant.authorize(), "expires_in": 86400}))
        ended: Ended = paste_into(cli, monkeypatch, UPWORK_CLIENT_ID="id", UPWORK_CLIENT_SECRET="made-up", **PUBLISHED)
        return ended

    tokens.store(expires_in=2 * DAY)
    store.client().create_secret(Name="published")
    made = Desk(cli, tokens, store, authorize)
    assert 0 == made.run("refresh").code
    return made


def double_encoded(desk: Desk) -> None:
    desk.tokens.put(json.dumps(json.dumps(desk.tokens.current())))
    desk.store.client().put_secret_value(SecretId="published", SecretString="[]")


def made_again(desk: Desk) -> None:
    desk.store.client().delete_secret(SecretId=SECRET_ID, ForceDeleteWithoutRecovery=True)
    desk.store.client().create_secret(Name=SECRET_ID)


def copied_from_elsewhere(desk: Desk) -> None:
    """A copy of the secret was refreshed elsewhere, and what it brought is unknown here: the token is dead."""
    desk.tokens.put({**desk.tokens.current(), "refreshToken": "refreshed-elsewhere"})
    desk.run("refresh", "--force", "--yes")


STATES: dict[str, tuple[Callable[[Desk], Any], str, list[str]]] = {
    "a list": (lambda desk: desk.tokens.put("[]"), "the secret's value is a JSON array", ["restore"]),
    "double-encoded, and the copy overwritten": (double_encoded, "the secret's value is a JSON string", ["restore"]),
    "deleted for good and made again": (made_again, "has no value yet", ["authorize"]),
    "a copy was refreshed elsewhere": (copied_from_elsewhere, "rejected the refresh token", ["authorize"]),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_no_page_lists(desk: Desk, name: str) -> None:
    """Both say what is wrong; the printed command repairs it, also where a second operator runs it again."""
    breaks, said, commands = STATES[name]
    breaks(desk)

    status, doctor = desk.run("status"), desk.run("doctor")
    assert (2, 1) == (status.code, doctor.code)
    assert said in status.screen
    assert said in doctor.screen
    for command in commands:
        assert 0 == desk.printed(status, command).code
        if command == "restore":  # A second operator runs it, too.
            desk.run(command, "--yes")
    after = desk.run("status")
    if after.code:
        assert 0 == desk.printed(after, "refresh").code

    assert 0 == desk.run("status").code, desk.run("status").screen
    read = TokenReader("published", client=desk.store.client(), background=False).get()
    assert desk.tokens.current()["accessToken"] == read


def test_one_pauses_and_another_authorizes(desk: Desk) -> None:
    """A consent during a pause is stored and published at once; what is left is the pause, and `resume` ends it."""
    copied_from_elsewhere(desk)
    assert 0 == desk.run("pause", "--for", "1h", "--why", "we look into it").code
    assert 2 == desk.run("status").code

    assert 0 == desk.authorize().code
    paused = desk.run("status")
    assert (1, True) == (paused.code, "paused the refreshes until" in paused.screen)
    assert 0 == desk.printed(paused, "resume").code
    assert 0 == desk.run("status").code
    read = TokenReader("published", client=desk.store.client(), background=False).get()
    assert desk.tokens.current()["accessToken"] == read
