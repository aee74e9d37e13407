"""Verifiers on the real `SecretReader`, against a strict store over HTTP, by a clock that the tests move."""

import random
import re
from datetime import timedelta

import pytest

from testbed.reader_surroundings import WallClock
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.webhooks.signing import KINDS, NEW_SECRETS, SECRETS
from token_refresh.errors import SecretStoreUnavailable, TokenRefreshError
from webhooks.conftest import FORGED, Stored

kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_rotation(server: SecretsManagerServer, clock: WallClock, kind: str) -> None:
    """A new secret verifies at its first delivery; the previous one until the overlap ends by the clock, not after."""
    stored = Stored(server, clock, kind)
    old, new = SECRETS[kind], NEW_SECRETS[kind]
    clock.advance(7200)  # the first version is no rotation: its own overlap is over
    assert ("current", "WebhookNotVerified") == (stored.verify(old), stored.verify(new))
    clock.advance(60)
    stored.rotate()
    assert ("current", "previous") == (stored.verify(new), stored.verify(old))
    clock.advance(3599)
    assert ("current", "previous") == (stored.verify(new), stored.verify(old))
    clock.advance(1)
    assert ("current", "WebhookNotVerified") == (stored.verify(new), stored.verify(old))


def test_clock_that_was_ahead(server: SecretsManagerServer, clock: WallClock) -> None:
    """If the clock is set back, a secret that was withdrawn is not accepted until the old time comes again."""
    stored = Stored(server, clock, overlap=timedelta())
    clock.advance(30 * 86_400)
    assert "current" == stored.verify(SECRETS["stripe"])
    clock.advance(-30 * 86_400)
    stored.rotate()
    assert "WebhookNotVerified" == stored.verify(SECRETS["stripe"])


@kinds
def test_outage(server: SecretsManagerServer, clock: WallClock, kind: str) -> None:
    """While Secrets Manager is down, for days, a warm receiver goes on verifying; a cold one says why it can't."""
    stored = Stored(server, clock, kind)
    assert "current" == stored.verify(SECRETS[kind])
    server.fault("drop_before", "GetSecretValue", times=None)
    for _ in range(10):
        clock.advance(20_000)
        assert "current" == stored.verify(SECRETS[kind])
        assert "WebhookNotVerified" == stored.verify(FORGED)
    stored.restart()
    request = stored.request(SECRETS[kind])
    with pytest.raises(SecretStoreUnavailable, match="secretsmanager:GetSecretValue"):
        stored.verifier.verify(request.headers, request.body)


def test_an_attacker_does_not_hide_a_new_secret(server: SecretsManagerServer, clock: WallClock) -> None:
    """However many forged deliveries come, a new secret is taken up within five minutes after it was stored."""
    stored = Stored(server, clock, "stripe")
    chance = random.Random(1)  # noqa: S311 - not for secrets
    for _ in range(5):
        for _ in range(chance.randrange(50, 800)):
            stored.verify(FORGED)
            clock.advance(1)
        stored.rotate()
        waited = 0
        while stored.verify(NEW_SECRETS["stripe"]) == "WebhookNotVerified":
            waited += 1
            clock.advance(1)
        assert waited <= 300
        stored.client.put_secret_value(SecretId="signing", SecretString=SECRETS["stripe"])
        clock.advance(3600)


@pytest.mark.parametrize("wrong", ["whsec_of_another_endpoint", "whsec_with_a_newline\n"])
def test_wrong_secret_is_corrected_without_a_loss(server: SecretsManagerServer, clock: WallClock, wrong: str) -> None:
    """Whoever stored a wrong secret and follows the error's commands keeps the old secret accepted for the overlap."""
    stored = Stored(server, clock)
    clock.advance(7200)
    stored.client.put_secret_value(SecretId="signing", SecretString=wrong)
    request = stored.request(FORGED)
    with pytest.raises(TokenRefreshError) as caught:
        stored.verifier.verify(request.headers, request.body)
    go_back, store = re.findall("`aws secretsmanager ([^`]+)`", str(caught.value))
    move, remove = re.findall("version-id ([^ ]+)", go_back)
    assert go_back.startswith("update-secret-version-stage --secret-id signing --version-stage AWSCURRENT ")
    stored.client.update_secret_version_stage(
        SecretId="signing", VersionStage="AWSCURRENT", MoveToVersionId=move, RemoveFromVersionId=remove
    )
    assert store.startswith("put-secret-value")
    stored.rotate()
    clock.advance(60)
    assert ("current", "previous") == (stored.verify(NEW_SECRETS["stripe"]), stored.verify(SECRETS["stripe"]))
