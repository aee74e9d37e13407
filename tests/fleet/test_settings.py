from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest

from token_refresh.aws.clients import ClientLimits
from token_refresh.errors import ConfigurationError
from token_refresh_worker.fleet.core.fleet import Limits, ProviderLimits
from token_refresh_worker.fleet.settings import (
    FLEET_LIMITS,
    FleetSettings,
    limits_of_provider,
    provider_limits,
    read_fleet_settings,
)
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.provider import RateLimit

GIVEN = {"FLEET_NAME": "prod", "CLAIM_TABLE": "table"}


def test_what_the_stack_sets() -> None:
    """Name and table are required; queue, bus, the write budget and the number of runs at once are optional."""
    whole = GIVEN | {"FLEET_QUEUE_URL": "https://queue", "EVENT_BUS": "bus", "FLEET_WRITES_PER_SECOND": "20"}
    whole |= {"FLEET_CONCURRENCY": "4"}
    limits = Limits(writes_per_second=20.0, concurrency=4)
    expected = FleetSettings(name="prod", table="table", queue_url="https://queue", event_bus="bus", limits=limits)

    assert expected == read_fleet_settings(whole)
    assert Limits() == read_fleet_settings(GIVEN).limits
    copies = read_fleet_settings(GIVEN | {"PUBLISHED_SECRET_ID": "p/{secret}"}).limits
    assert (1200, 600) == (Limits().runs_a_minute, copies.runs_a_minute), "with copies a run writes twice as often"


def test_a_malformed_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index, the queue, the members and the bus are opened under the rules of every run, before AWS is asked."""
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary/x@proxy.internal")
    settings = read_fleet_settings(GIVEN | {"FLEET_QUEUE_URL": "https://queue", "EVENT_BUS": "bus"})

    for opened in (settings.index, settings.sender, settings.members, settings.bus):
        with pytest.raises(ConfigurationError, match=r"^HTTPS_PROXY ") as refused:
            opened()
        assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [("FLEET_NAME", ""), ("CLAIM_TABLE", "")]
    + [(f"FLEET_{name}", text) for name in ("WRITES_PER_SECOND", "CONCURRENCY") for text in ("0", "1001", "many", "²")],
)
def test_wrong_settings(name: str, text: str) -> None:
    """What is missing is named, and so is a limit that can't be."""
    with pytest.raises(ConfigurationError, match=f"{name} must be a whole number" if text else name):
        read_fleet_settings(GIVEN | {name: text})


def test_each_call_has_a_fleet_s_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients of index, queue and listing wait as long, and ask as often, as a fleet may.

    A queue that is not configured is an error, and a bus is optional.
    """
    opened: dict[str, ClientLimits | None] = {}

    def client(service: str, *, limits: ClientLimits | None = None) -> mock.MagicMock:
        opened[service] = limits
        return mock.MagicMock()

    monkeypatch.setattr("token_refresh_worker.fleet.settings.aws_client", client)
    settings = read_fleet_settings(GIVEN | {"FLEET_QUEUE_URL": "https://queue"})
    for part in (settings.index, settings.sender, settings.members):
        part()

    assert dict.fromkeys(("dynamodb", "sqs", "secretsmanager"), FLEET_LIMITS) == opened
    assert read_fleet_settings(GIVEN).bus() is None
    with pytest.raises(ConfigurationError, match="FLEET_QUEUE_URL"):
        read_fleet_settings(GIVEN).sender()


def test_limits_of_providers() -> None:
    """A profile gives rate and single use; a name without a profile gives nothing."""
    upwork = load_provider("upwork")

    assert {"upwork": limits_of_provider(upwork)} == provider_limits(["upwork", "there-is-none", "unknown"])
    assert not limits_of_provider(upwork).single_use
    assert limits_of_provider(load_provider("generic")).single_use


def test_rates() -> None:
    """A rate that the provider counts for each grant does not limit a fleet; others are requests a second."""

    def limited(scope: str) -> ProviderLimits:
        rate = RateLimit(requests=600, per=timedelta(minutes=1), scope=scope)
        return limits_of_provider(replace(load_provider("upwork"), rate=rate))

    assert [10.0, None] == [limited(scope).runs_per_second for scope in ("ip", "grant")]
    assert limits_of_provider(replace(load_provider("upwork"), rate=None)).runs_per_second is None
