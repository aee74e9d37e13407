"""Settings of a fleet, from the environment that the fleet's stack sets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from token_refresh.aws.clients import ClientLimits
from token_refresh.errors import ConfigurationError
from token_refresh_worker.bootstrap import aws_client, open_bus
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.aws.services import list_members, send_messages
from token_refresh_worker.fleet.core.enrolment import TaggedSecret
from token_refresh_worker.fleet.core.fleet import WRITES_WITH_A_COPY, Limits, ProviderLimits, Send
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.ports import SendEvent

FLEET_LIMITS: Final = ClientLimits(connect_seconds=2, read_seconds=5, attempts=4, connections=16)
"""Every call of a fleet may be repeated: what it writes is conditional, or the same again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """What is configured about a fleet."""

    name: str
    table: str
    queue_url: str | None = None
    event_bus: str | None = None
    limits: Limits = field(default_factory=Limits)

    def index(self) -> TableIndex:
        """Open the index."""
        return TableIndex(aws_client("dynamodb", limits=FLEET_LIMITS), self.table, self.name)

    def sender(self) -> Send:
        """Open the queue."""
        if self.queue_url is None:
            raise ConfigurationError("FLEET_QUEUE_URL must be the URL of the fleet's queue; the fleet's stack sets it")
        return partial(send_messages, aws_client("sqs", limits=FLEET_LIMITS), self.queue_url)

    def members(self) -> list[TaggedSecret]:
        """List the secrets with the fleet's tag; other fleets' secrets may be among them."""
        return list_members(aws_client("secretsmanager", limits=FLEET_LIMITS), self.name)

    def bus(self) -> SendEvent | None:
        """Open the event bus, if there is one."""
        return open_bus(self.event_bus) if self.event_bus else None


def read_fleet_settings(environment: Mapping[str, str]) -> FleetSettings:
    """Read and check the variables."""
    # One table has the rows and the claims, so CLAIM_TABLE names both.
    missing = [name for name in ("FLEET_NAME", "CLAIM_TABLE") if not environment.get(name)]
    if missing:
        raise ConfigurationError(f"{missing[0]} must be set in a fleet; the fleet's stack sets it")
    default = Limits()
    return FleetSettings(
        name=environment["FLEET_NAME"],
        table=environment["CLAIM_TABLE"],
        queue_url=environment.get("FLEET_QUEUE_URL") or None,
        event_bus=environment.get("EVENT_BUS") or None,
        limits=Limits(
            writes_per_second=_whole_number(environment, "FLEET_WRITES_PER_SECOND") or default.writes_per_second,
            concurrency=_whole_number(environment, "FLEET_CONCURRENCY") or default.concurrency,
            writes_a_run=WRITES_WITH_A_COPY if environment.get("PUBLISHED_SECRET_ID") else default.writes_a_run,
        ),
    )


def provider_limits(names: Iterable[str]) -> dict[str, ProviderLimits]:
    """Return the limits of each provider that has a profile."""
    found = {}
    for name in set(names):
        try:
            provider = load_provider(name)
        except ConfigurationError:  # its runs fail with this error, and its secrets are in state `error`
            continue
        found[name] = limits_of_provider(provider)
    return found


def limits_of_provider(provider: Provider) -> ProviderLimits:
    """Return a provider's limits. What is counted for each grant never limits a fleet, which has many."""
    # At 2 requests a minute for each grant, 10,000 grants may send 20,000.
    rate = provider.rate if provider.rate and provider.rate.scope != "grant" else None
    return ProviderLimits(
        single_use=provider.grace.duration == timedelta(0),
        runs_per_second=rate.requests / rate.per.total_seconds() if rate else None,
    )


def _whole_number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    if text and not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000):  # noqa: PLR2004 - a sane bound
        raise ConfigurationError(f"{name} must be a whole number from 1 to 1000")
    return int(text) if text else None
