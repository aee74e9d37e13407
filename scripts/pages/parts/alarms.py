"""The alarms of each mode, by the methods that define them."""

from pages.docstrings import listed, words
from token_refresh_infra.constructs.alarms import Alarms
from token_refresh_infra.fleet.alarms import FleetAlarms
from token_refresh_infra.single.alarms import RefreshAlarms
from token_refresh_infra.webhooks.alarms import WebhookAlarms


def single() -> str:
    """Return each alarm of one worker, with what to do."""
    found = {name: words(one) for name, one in RefreshAlarms.defined().items()}
    return listed(*((f"`{name}`", f"{one.meaning} {one.fix}") for name, one in found.items()))


def webhooks() -> str:
    """Return each alarm of a receiver."""
    return _meanings(WebhookAlarms)


def fleet() -> str:
    """Return each alarm of a fleet."""
    return _meanings(FleetAlarms)


def _meanings(alarms: type[Alarms]) -> str:
    return "\n".join(f"- `{name}`: {words(one).meaning}" for name, one in alarms.defined().items())
