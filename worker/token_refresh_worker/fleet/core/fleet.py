"""What the dispatcher decides on, and what it decides: a fleet and its limits; one minute's messages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from token_refresh.advice import Command
from token_refresh_worker.fleet.core.breaker import Breaker
from token_refresh_worker.fleet.core.row import Pauses, Row

LEASE: Final = timedelta(minutes=5)
"""How long SQS drops a second message with the same ID."""
MINUTE: Final = timedelta(minutes=1)
FIRST_WAIT: Final = LEASE + MINUTE
"""How long a message may be under way; it may have been sent at the end of its minute."""
FEW: Final = 3
"""So many secrets are more than the trouble of single customers."""
DOUBLINGS: Final = 2
MEMORY: Final = FIRST_WAIT * (2 ** (DOUBLINGS + 1) - 1) + MINUTE
"""How long what was handed out is remembered."""
OTHER_FUNCTIONS: Final = 2
"""Dispatcher and resync."""
_QUOTA: Final = "L-B99A9384"
"""Concurrent executions: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
WRITES_WITH_A_COPY: Final = 4
"""Writes of a run: store and make current, for the tokens and for their copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds a fleet."""

    writes_per_second: float = 40.0
    """80 % of the quota that `PutSecretValue` and `UpdateSecretVersionStage` share; other teams write, too."""
    writes_a_run: int = 2
    concurrency: int = 64
    """`MaximumConcurrency` of the queue's event source."""

    @property
    def runs_a_minute(self) -> int:
        """How many refreshes fit into the budget."""
        return int(self.writes_per_second * 60 / self.writes_a_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLimits:
    """What the dispatcher needs to know of a provider."""

    single_use: bool = True
    runs_per_second: float | None = None
    """The provider's own limit of token requests; None where it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchedMessage:
    """What is remembered of a message."""

    at: datetime
    """The minute in which it was last sent."""
    group: str
    times: int = 1
    """How often it was sent, and nobody reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All that a decision depends on, beside the time."""

    rows: Sequence[Row]
    pauses: Pauses = field(default_factory=Pauses)
    handed_out: Mapping[str, DispatchedMessage] = field(default_factory=dict)
    """The messages of the last 43 minutes, by their IDs."""
    store_refuses: bool = False
    """Whether Secrets Manager refused several secrets in a row."""
    providers: Mapping[str, ProviderLimits] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One run to start."""

    message_id: str
    """Also the queue's deduplication ID."""
    secret_arn: str
    group: str
    """One run at a time in each group; see `messages`."""
    probe: bool = False
    """Whether it is to run although a breaker is open."""


Send = Callable[[Sequence[Message]], list[str]]
"""Sends messages to the queue between dispatcher and worker, and gives the IDs of those that it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one minute brings."""

    seconds: Sequence[Sequence[Message]]
    """The messages to send in each second from now on."""
    breakers: Mapping[str, Breaker]
    """By host (`xero/identity.xero.com`), provider, and `Secrets Manager`."""
    under_way: int
    """Runs of earlier minutes that have not reported."""
    waiting: int
    """Due secrets that this minute leaves for the next."""
    unheard_since: datetime | None = None
    """When the runs were handed out since which no run at all has reported: the worker does not run."""

    @property
    def messages(self) -> list[Message]:
        """All messages, in order."""
        return [message for second in self.seconds for message in second]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDispatch:
    """What the last dispatcher told workers and operators."""

    at: datetime | None = None
    """None if none ever ran."""
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    """As in `Decision`, and so is `unheard_since`; nothing where it was long ago."""
    unheard_since: datetime | None = None


def too_few_runs(left: int, at_once: int) -> str | None:
    """Say that an account lets too few functions run for a fleet's runs at once; None if they suffice."""
    wanted = at_once + OTHER_FUNCTIONS
    if left >= wanted:
        return None
    return f"the account lets {left} functions run at once, and the fleet uses {wanted}: Lambda refuses its runs"


def ask_for_more_runs(region: str) -> Command:
    """Return the command that asks AWS to let more functions of an account run at once."""
    line = "aws service-quotas request-service-quota-increase --service-code lambda --quota-code {} --desired-value {}"
    return Command.of(line + " --region {}", _QUOTA, "1000", region)


def limits_of(fleet: Fleet, provider: str) -> ProviderLimits:
    """Return a provider's limits; an unknown one counts as single use without a rate."""
    return fleet.providers.get(provider, ProviderLimits())
