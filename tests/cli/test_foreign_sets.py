"""A second refresher, as the commands see it: what they store themselves is theirs, and what it stores is named."""

from datetime import timedelta

import pytest

from cli.scene import SECRET_ID, Cli, Tokens, grades
from testbed.builders import DAY, HOUR
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import fingerprint_of

FOREIGN = "stored by something other than this worker and its commands"


@pytest.fixture(autouse=True)
def refreshed(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """A secret that the worker has refreshed once."""
    tokens.store(expires_in=7 * HOUR)
    assert 0 == cli("refresh").code
    store.clock_offset_seconds += 5


def test_what_something_else_stored(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """It needs attention for a week, with the version and the way to find out who stored it; `doctor` says so, too."""
    healthy = cli("status")
    version_id = tokens.store(expires_in=DAY, tokenRefresh=tokens.current()["tokenRefresh"])
    noticed, checked = cli("status"), cli("doctor", "--json")
    store.clock_offset_seconds += int(timedelta(days=8).total_seconds())
    later = cli("status")
    tokens.store(expires_in=DAY)
    assert 0 == cli("refresh", "--force").code
    store.clock_offset_seconds += 5
    tokens.store(expires_in=DAY, tokenRefresh=tokens.current()["tokenRefresh"])

    assert f"2 token sets were {FOREIGN}" in cli("status").screen, "a run between them doesn't forget the first"
    assert (0, 1, "look") == (healthy.code, noticed.code, grades(checked)["tokens"])
    assert f"a token set was {FOREIGN}; the last is version {version_id}" in noticed.screen
    assert f"token-refresh history {SECRET_ID} --region eu-central-1" in noticed.screen
    assert FOREIGN not in later.screen


def test_what_restore_stores(cli: Cli, tokens: Tokens) -> None:
    """What an operator restored, or changed the client of, is not another refresher's, even if one stored it first."""
    document = tokens.current()
    assert 0 == cli("client", stdin=f"{document['clientSecret']}\n").code
    assert (0, document) == (cli("status").code, tokens.current()), "other client credentials make them nobody else's"
    version_id = tokens.store(expires_in=DAY)
    theirs = tokens.current()
    tokens.store(expires_in=DAY)
    assert FOREIGN in cli("status").screen

    assert 0 == cli("restore", "--version", version_id, "--yes").code

    assert FOREIGN not in cli("status").screen
    assert theirs["refreshToken"] == tokens.current()["refreshToken"]
    marked = tokens.current()["tokenRefresh"]
    assert fingerprint_of(SecretValue(theirs["refreshToken"])) == marked["token"]
    tokens.store(expires_in=DAY, tokenRefresh=marked)
    assert FOREIGN in cli("status").screen, "the mark belongs to one token: beside another it proves nothing"


def test_what_comes_first(cli: Cli, tokens: Tokens) -> None:
    """Where a stranger's set is broken, too, its remedy comes before one that would send or publish those tokens."""
    tokens.store(expires_in=-HOUR)

    status = cli("status")

    assert 2 == status.code
    first, second = (status.out.index(f"token-refresh {name} {SECRET_ID}") for name in ("restore", "refresh"))
    assert first < status.out.index(f"token-refresh authorize {SECRET_ID}") < second


def test_what_restore_passes_over(cli: Cli, tokens: Tokens) -> None:
    """After two sets of something else, the last one of the worker's own comes back, and not AWSPREVIOUS."""
    ours = tokens.current()
    for _ in range(2):
        tokens.store(expires_in=DAY)

    assert 0 == cli("restore", "--yes").code

    assert ours["refreshToken"] == tokens.current()["refreshToken"]
