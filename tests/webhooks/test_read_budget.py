"""What a day costs in reads of the secret, in one execution environment, whatever goes wrong or is sent."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from testbed.reader_surroundings import WallClock
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.webhooks.signing import NEW_SECRETS, SECRETS
from webhooks.conftest import FORGED, Stored

GROUP = "unmeasured"

DAY_SECONDS = 86_400
# One read every five minutes makes 288; ten short pauses come at the beginning, and six more within a day.
MOST = 288 + 10 + 6


@pytest.fixture
def stored(server: SecretsManagerServer, clock: WallClock) -> Stored:
    """A secret that was stored long ago."""
    stored = Stored(server, clock, near=True)
    clock.advance(7 * DAY_SECONDS)
    return stored


def day(clock: WallClock, *, every: int = 60) -> Iterator[int]:
    """Let a day pass; give the seconds since its beginning."""
    for second in range(0, DAY_SECONDS, every):
        yield second
        clock.advance(every)


@pytest.mark.parametrize(("on", "off"), [(DAY_SECONDS, 0), (30, 570), (3600, 3600), (600, 4 * 3600)])
def test_wrong_signatures(stored: Stored, clock: WallClock, on: int, off: int) -> None:
    """Forged deliveries, without end or with quiet times, cost few more reads than the genuine ones between them."""
    for second in day(clock, every=30):
        if second % (on + off) < on:
            assert "WebhookNotVerified" == stored.verify(FORGED)
        if second % 60 == 0:
            assert "current" == stored.verify(SECRETS["stripe"])
    assert 280 <= stored.reads <= MOST


@pytest.mark.parametrize("fault", ["throttle", "missing", "throttle now and then"])
def test_failures(stored: Stored, clock: WallClock, fault: str) -> None:
    """A secret that is deleted, or throttled all day or now and then, costs no more, with a cached value or without."""
    fails = [None] if fault == "throttle" else []
    if fault != "throttle":
        stored.verify(SECRETS["stripe"])
    if fault == "missing":
        stored.client.delete_secret(SecretId="signing", ForceDeleteWithoutRecovery=True)
    elif fails:
        stored.server.fault("throttle", "GetSecretValue", times=None)
    else:
        for number in range(1, 1000, 2):
            stored.server.fault("throttle", "GetSecretValue", nth=number)
    for _ in day(clock):
        assert ("SecretStoreUnavailable" if fails else "current") == stored.verify(SECRETS["stripe"])
        assert ("SecretStoreUnavailable" if fails else "WebhookNotVerified") == stored.verify(FORGED)
    assert 280 <= stored.reads <= MOST


def test_store_that_gives_versions_in_turn(stored: Stored, clock: WallClock) -> None:
    """A store that gives an old and a new version in turn is not read for each forged delivery."""
    versions = [stored.client.get_secret_value(SecretId="signing")["VersionId"]]
    versions.append(stored.client.put_secret_value(SecretId="signing", SecretString="whsec_bmV3")["VersionId"])
    stored.restart(overlap=timedelta())
    before = stored.reads
    for _ in day(clock):
        reads = stored.reads
        assert "WebhookNotVerified" == stored.verify(FORGED)
        if stored.reads > reads:
            versions.reverse()
            stored.client.update_secret_version_stage(
                SecretId="signing",
                VersionStage="AWSCURRENT",
                MoveToVersionId=versions[1],
                RemoveFromVersionId=versions[0],
            )
    restored = (5 + 6) * 10
    assert 280 <= stored.reads - before <= MOST + restored


def test_overlap(stored: Stored, clock: WallClock) -> None:
    """A rotation adds one call to each read within the overlap, and begins with short pauses again."""
    for _ in day(clock):
        if stored.reads == 100 and stored.verify(NEW_SECRETS["stripe"]) == "WebhookNotVerified":
            stored.rotate()
        assert "WebhookNotVerified" == stored.verify(FORGED)
    reads_in_the_overlap = 3600 // 300 + 10
    assert 280 <= stored.reads <= MOST + 10 + reads_in_the_overlap


@pytest.mark.parametrize("outage_seconds", [30, 700, 20_000])
def test_what_is_mended_is_found(stored: Stored, clock: WallClock, outage_seconds: int) -> None:
    """Once a permission is given, deliveries verify within five minutes, and sooner after a short failure."""
    denied = stored.server.fault("deny", "GetSecretValue", times=None)
    for _ in range(0, outage_seconds, 10):
        assert "SecretAccessDenied" == stored.verify(SECRETS["stripe"])
        clock.advance(10)
    denied.times = 0
    waited = 0
    while stored.verify(SECRETS["stripe"]) != "current":
        waited += 1
        clock.advance(1)
    assert waited <= min(300, outage_seconds)
