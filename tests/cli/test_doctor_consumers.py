"""`doctor --consumer-version`: whether a consumer has the current token."""

import pytest

from builders import DAY
from cli.scene import Cli, Tokens, grades
from testbed.secrets_manager.server import SecretsManagerServer


def test_a_stale_consumer(cli: Cli, tokens: Tokens) -> None:
    """The version that a consumer reports is compared with the current one; the short form of `status` is enough."""
    old = tokens.store(expires_in=DAY)
    for _ in range(60):  # two pages of versions
        new = tokens.store(expires_in=DAY)
    unknown = "3f0c8c35-3c0f-4d5e-8f4e-1d6e7d2b9a10"

    for reported in (old, old[:8]):
        screen = cli("doctor", f"--consumer-version={reported}").screen
        assert "the consumer's cache is stale" in screen
        assert "stored at" in screen
        assert "token_refresh.reader" in screen
    for reported in (new, new[:8]):
        ended = cli("doctor", "--json", f"--consumer-version={reported}")
        assert "the consumer has the current version" in ended.screen
        assert "ok" == grades(ended)["consumers"]
    assert "the consumer reads another secret" in cli("doctor", f"--consumer-version={unknown}").screen


@pytest.mark.parametrize(
    ("reported", "denied", "grade", "printed"),
    [
        ("short", "", "skipped", "needs at least 8 characters"),
        ("00000000", "ListSecretVersionIds", "skipped", "not known: secretsmanager:ListSecretVersionIds on secret"),
        ("00000000", "", "failed", "this secret has no version 00000000"),
    ],
)
def test_a_consumer_that_can_not_be_judged(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, reported: str, denied: str, grade: str, printed: str
) -> None:
    """The first characters of a version ID suffice; too few, or a listing that is denied, is no verdict."""
    tokens.store(expires_in=DAY)
    if denied:
        store.fault("deny", denied, times=None)

    ended = cli("doctor", "--json", f"--consumer-version={reported}")

    assert grade == grades(ended)["consumers"]
    assert printed in ended.screen
