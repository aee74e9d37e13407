"""What a world is, what its numbers stand for, and how far one search goes."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, NamedTuple, TypeVar

from token_refresh.stored.refresh_window import DEFAULT_WINDOW
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.stored.origin import IN_VERSIONS, LONGEST_GRACE, StoreName, in_table

EPOCH_SECONDS: Final = 1_800_000_000
"""When a search begins, by the services' clock."""

HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 86_400
LIFETIME_SECONDS: Final = DAY_SECONDS
WINDOW_SECONDS: Final = int(DEFAULT_WINDOW.total_seconds())
GRACE_SECONDS: Final = DAY_SECONDS
DUE_SECONDS: Final = 4 * HOUR_SECONDS
"""How far off the first token set's expiry is: inside the window, and before its last quarter."""

RUN_SECONDS: Final = 60
"""The time limit of the function: Lambda ends a run that is older."""

STALE_SECONDS: Final = 300
"""How old a stale read may be: the protocol assumes no more."""
CLOCKS_DIFFER: Final = 240
"""By how many seconds the clocks of AWS may differ."""
CLAIM_SECONDS: Final = RUN_SECONDS + STALE_SECONDS + CLOCKS_DIFFER

LATE_SECONDS: Final = 300
"""How long AWS accepts a signed request: a write may land that long after its run died."""

LAST_QUARTER_SECONDS: Final = WINDOW_SECONDS // 4

CLAIM_ENDS: Final = CLAIM_SECONDS + 1
HOUR_PASSES: Final = HOUR_SECONDS + 1
DAY_PASSES: Final = DAY_SECONDS + 1
PLACES_FREE: Final = DAY_SECONDS + CLOCKS_DIFFER + 1
"""When a version has lost its place by every clock."""

CLAIMS_TABLE: Final = "table"
OTHER_TABLE: Final = "other-table"
"""Claim stores, beside `versions`: two tables."""

PAUSES: Final = "pr"
"""Letters of a plan that are no runs: an operator pauses the secret, or resumes it."""

PAUSE_SECONDS: Final = 2 * CLAIM_SECONDS

COMMANDS: Final = "acxvow"
"""Letters of a plan that are no runs: `authorize`, `client`, `restore` or `revoke`, each at most once in a search; and
`recover`, with right (o) and with wrong pointers (w)."""

BY_HAND: Final = "h"
"""The letter of what is no run: before the search, a person stores a second grant by hand."""

MOVES: Final = "mb"
"""Letters of a plan that are no runs: the claims are moved to the second deployment's store, or back."""

HOST: Final = "provider.example"
OTHER_HOST: Final = "other.example"


class Budget(NamedTuple):
    """How often each kind of misfortune may still strike in one history."""

    crashes: int = 0
    losses: int = 0
    """Lost responses: the adapter repeats a store's call; a token request stays without a response."""
    faults: int = 0
    """Calls that fail for good, applied or not; a token request is refused because of the client's credentials."""
    operator: int = 0
    """Actions of a person."""
    jumps: int = 0
    """Jumps of the services' clock, taken from the scenario's list."""
    stale: int = 0
    """Stale reads."""
    false_rejections: int = 0
    """Times that the provider says `invalid_grant` of a good refresh token."""
    gateway: int = 0
    """Responses of a gateway in place of the provider's, before or after it redeemed; or a provider that is busy."""
    late: int = 0
    """Writes that land after their run died."""
    outages: int = 0
    """Times that Secrets Manager begins to refuse every write, at any moment and for as long as the search wants."""
    unread: int = 0
    """Responses with new tokens that the worker can't read."""


class Worker(NamedTuple):
    """Where one worker stands: a run that is under way, and the runs that follow it."""

    plan: str
    """A letter for each run that is left, this one first: `s` scheduled, `f` forced; capital: the second deployment.

    `n`: a run that names the search's first attempt, to send its refresh token again. Or of `MOVES` or `PAUSES`.
    """
    node: int
    """The history of the run that is under way: which replies it had so far."""
    sent_again: bool = False
    """Whether the call that it is about to make was carried out once already, and its response lost."""
    unstored: int = -1
    """The family of which it holds tokens that are not stored yet; -1 for none."""
    unkept: bool = False
    """Whether the claim table could not keep them."""
    superseded: bool = False
    """Whether the grant was rejected when another version was current already."""


class World(NamedTuple):
    """One state of everything; equal worlds have equal futures. Numbers stand for interned values."""

    store: int
    provider: int
    now: int
    budget: Budget
    lost: int
    """Families (one bit each) of which a token set was issued and never stored: a crash, a freeze, a lost response."""
    unknown: bool
    """Whether a run died, or lost a response, so that an outcome may be unknown."""
    faulted: bool
    """Whether a call failed for good, or something unreadable was stored."""
    workers: tuple[int, ...]
    resent: bool = False
    """Whether a run that names an attempt has redeemed a token."""
    gone: bool = False
    """Whether stored tokens were removed."""
    pending: int = -1
    """A write whose run died, and that has not landed yet; -1 for none."""
    refusing: bool = False
    """Whether Secrets Manager refuses every write."""
    past: tuple[int, ...] = ()
    """The states that a stale read may still see, newest first; kept only while a stale read may happen."""


class Deployment(NamedTuple):
    """How a worker is configured."""

    grace_seconds: int | None = None
    """None for that of the provider."""
    host: str = HOST
    claims: str | None = None
    """Its claim store; None for that of the first deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The bounds of one search."""

    name: str
    provider: str = "single-use"
    claims: str = "versions"
    """The claim store: `versions`, `table` or `other-table`."""
    plans: tuple[str, ...]
    """The runs of each worker, a letter each; a run follows the one before when that ended or died."""
    budget: Budget = Budget()  # noqa: RUF009 - a constant
    jumps: tuple[int, ...] = ()
    """By how many seconds the services' clock jumps; each at any point, in this order."""
    operator: tuple[str, ...] = ()
    """What the operator may do."""
    published: bool = False
    between_runs: bool = False
    """Whether time passes only while no run is under way."""
    frozen: bool = False
    """Whether a run may outlive its time limit, frozen and thawed, as on a suspended laptop."""
    run_seconds: int = RUN_SECONDS
    """The time limit of the function."""
    margin_seconds: float = 0.0
    """How long before that a run ends by itself."""
    lifetime_seconds: int = LIFETIME_SECONDS
    """Of an access token."""
    first_expiry: str = "true"
    """The stored expiry of the first token set: `true`, `doubted` (years away) or `missing`."""
    returns_same: bool = False
    """Whether the provider returns the same access token with what is left of it."""
    idle_seconds: int | None = None
    """Without a refresh for so long, the grant ends."""
    behind_seconds: float = 0.0
    """How far `Date`, in whole seconds, lies before the `CreatedDate` of what was just stored."""
    stale_depth: int = 0
    """How many writes old a stale read may be."""
    stale_seconds: int = STALE_SECONDS
    """How old a stale read may be."""
    before: int = 0
    """Refreshes before the search begins."""
    due_seconds: int = DUE_SECONDS
    quota: int = 100
    """How many versions the secret holds before old ones are removed."""
    claims_a_day: int | None = None
    """The daily limit of claims, where it is not the worker's own."""
    most_redemptions: int | None = None
    """How many redemptions a ledger keeps, where it is not the worker's own number."""
    second: str = ""
    """How a second grant was stored after the first one was revoked, and a run saw that: `by hand` or `by command`."""
    before_second: int = 0
    """Refreshes of the second grant before the search begins."""
    other: Deployment | None = None
    """The second deployment."""

    @property
    def window_seconds(self) -> int:
        """How long before expiry a token set is due."""
        return min(WINDOW_SECONDS, self.lifetime_seconds // 3)

    @property
    def grace_seconds(self) -> int:
        """What the provider documents; a static provider never ends it."""
        static = int(LONGEST_GRACE.total_seconds())
        return {"single-use": 0, "grace": GRACE_SECONDS, "static": static}[self.provider]

    def deployment(self, kind: str) -> Deployment:
        """Return the configuration of a run of this kind."""
        if kind.isupper():
            assert self.other is not None
            return self.other
        return Deployment()

    def policy(self, kind: str = "s") -> Policy:
        """Return the worker's configuration."""
        deployment = self.deployment(kind)
        return Policy(
            refresh_window=timedelta(seconds=WINDOW_SECONDS),
            replay_grace=timedelta(
                seconds=self.grace_seconds if deployment.grace_seconds is None else deployment.grace_seconds
            ),
            host=deployment.host,
            claim_store=name_of(self.claims_of(kind)),
            lifetime=timedelta(seconds=self.lifetime_seconds),
            idle=None if self.idle_seconds is None else timedelta(seconds=self.idle_seconds),
        )

    def claims_of(self, kind: str) -> str:
        """Return the claim store of a run, or the one that a move goes to."""
        is_other = kind.isupper() or kind == "m"
        return (self.other.claims if is_other and self.other else None) or self.claims

    @property
    def moves(self) -> bool:
        """Whether claims are moved."""
        return any(letter in MOVES for plan in self.plans for letter in plan)

    @property
    def fills(self) -> bool:
        """Whether the secret can be full."""
        return self.quota != _QUOTA

    @property
    def people(self) -> bool:
        """Whether a person stores or ends a grant meanwhile."""
        return bool(self.operator) or any(letter in COMMANDS for plan in self.plans for letter in plan)

    @property
    def label(self) -> str:
        """Name the search among those of all claim stores and providers."""
        return f"{self.claims}, {self.provider}, {self.name}"

    @property
    def bounds(self) -> str:
        """Say them in one line."""
        counts = zip(_NAMES, self.budget, strict=True)
        said = [
            "runs " + " ".join(self.plans),
            *([f"{self.before} refresh{'es' * (self.before > 1)} before"] if self.before else []),
            *([f"a second grant, stored {self.second}"] if self.second else []),
            *([f"refreshed {self.before_second} times"] if self.before_second else []),
            *(f"{count} {name if count == 1 else plural}" for (name, plural), count in counts if count),
            *([f"up to {self.stale_depth} writes old"] if self.stale_depth else []),
            *([f"up to {self.stale_seconds} s old"] if self.stale_seconds != STALE_SECONDS else []),
            *([f"due {self.due_seconds} s before expiry"] if self.due_seconds < LAST_QUARTER_SECONDS else []),
            *(["jumps of " + ", ".join(f"{seconds} s" for seconds in self.jumps)] if self.jumps else []),
            *(["operator: " + ", ".join(self.operator)] if self.operator else []),
            *([f"quota {self.quota}"] if self.quota != _QUOTA else []),
            *([f"{self.claims_a_day} claims a day"] if self.claims_a_day else []),
            *([f"ledgers of {self.most_redemptions}"] if self.most_redemptions else []),
            *([f"second deployment: {self._other_words}"] if self.other else []),
            *([f"tokens of {self.lifetime_seconds} s"] if self.lifetime_seconds != LIFETIME_SECONDS else []),
            *([f"first expiry {self.first_expiry}"] if self.first_expiry != "true" else []),
            *(["the same access token again"] if self.returns_same else []),
            *([f"grants end unused in {self.idle_seconds} s"] if self.idle_seconds else []),
            *(["published copy"] if self.published else []),
            *(["time passes between runs"] if self.between_runs else []),
            *(["runs outlive their time limit"] if self.frozen else []),
            *(["`Date` behind `CreatedDate`"] if self.behind_seconds else []),
        ]
        return "; ".join(said)

    @property
    def _other_words(self) -> str:
        assert self.other is not None
        if self.other.claims is not None:
            return f"claims in {self.other.claims}"
        return f"grace {self.other.grace_seconds} s, {self.other.host}"


def scenario(
    name: str, *plans: str, jumps: tuple[int, ...] = (), operator: tuple[str, ...] = (), actions: int = 1, **bounds: Any
) -> Scenario:
    """Return the bounds of one search; how often a misfortune may strike is given by the names of `Budget`.

    Args:
        name: The search's name.
        plans: The runs of each worker.
        jumps: The jumps of the clock; each happens once, or not at all.
        operator: What a person may do.
        actions: How much of it.
        bounds: Numbers of `Budget`, and what else `Scenario` has.
    """
    counts = {kind: bounds.pop(kind) for kind in Budget._fields if kind in bounds}
    budget = Budget(jumps=len(jumps), operator=actions if operator else 0, **counts)
    return Scenario(name=name, plans=plans, budget=budget, jumps=jumps, operator=operator, **bounds)


def name_of(claims: str) -> StoreName:
    """Return the name that documents have for a claim store."""
    return IN_VERSIONS if claims == "versions" else in_table(claims)


_QUOTA: Final = 100
_NAMES: Final = (
    ("crash", "crashes"),
    ("lost response", "lost responses"),
    ("fault", "faults"),
    ("operator action", "operator actions"),
    ("clock jump", "clock jumps"),
    ("stale read", "stale reads"),
    ("false `invalid_grant`", "false `invalid_grant`"),
    ("gateway response", "gateway responses"),
    ("late write", "late writes"),
    ("outage of writes", "outages of writes"),
    ("unreadable response", "unreadable responses"),
)

T = TypeVar("T", bound=Hashable)


class Interned(Generic[T]):
    """Numbers for values, so that worlds are small and quickly compared."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}
        self._values: list[T] = []

    def number(self, value: T) -> int:
        """Return the value's number, a new one where it is new."""
        number = self._numbers.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> T:
        return self._values[number]

    def __len__(self) -> int:
        return len(self._values)


class Violation(Exception):  # noqa: N818 - it is what was found, in a program that looks for it
    """What must hold does not."""
