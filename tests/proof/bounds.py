"""What may go wrong in a random history, and how far: the bounds of what AWS does."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from proof.world import DAY_SECONDS, HOUR_SECONDS, Scenario
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, refresh_window
from token_refresh_worker.bootstrap import MARGIN_SECONDS
from token_refresh_worker.core.schedule import claim_time_to_live


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of one random history."""

    claims: str = "versions"
    lifetime_seconds: int = HOUR_SECONDS
    """Of an access token."""
    run_seconds: int = 90
    """After which Lambda ends a run."""
    stale_seconds: float = 0.0
    """How old a read of Secrets Manager may be."""
    clocks_seconds: float = 0.0
    """How far the clocks of AWS are apart."""
    late_seconds: float = 0.0
    """How long after its call a write may land whose caller got no response."""

    @property
    def scenario(self) -> Scenario:
        """Return what the ports of a search need to know."""
        return Scenario(
            name="random histories",
            claims=self.claims,
            plans=("s",),
            run_seconds=self.run_seconds,
            margin_seconds=MARGIN_SECONDS,
            lifetime_seconds=self.lifetime_seconds,
            due_seconds=int(self.window_seconds) + 60,
        )

    @property
    def window_seconds(self) -> float:
        """How long before expiry a token is due."""
        return refresh_window(DEFAULT_WINDOW, timedelta(seconds=self.lifetime_seconds)).total_seconds()

    @property
    def promised(self) -> bool:
        """Whether no grant may die: a claim outlives its run until all reads show all writes."""
        limit = timedelta(seconds=self.run_seconds)
        outlives = claim_time_to_live(limit, timedelta(seconds=self.window_seconds)) - limit
        return timedelta(seconds=self.stale_seconds + self.clocks_seconds + self.late_seconds) <= outlives

    def __str__(self) -> str:
        return (
            f"{self.claims}, tokens of {self.lifetime_seconds // 60} minutes, runs of {self.run_seconds} s; "
            f"reads {self.stale_seconds:g} s stale, clocks {self.clocks_seconds:g} s apart, "
            f"writes {self.late_seconds:g} s late"
        )


_STALE: Final = Bounds(stale_seconds=300)
_CLOCKS: Final = Bounds(clocks_seconds=240)
_LATE: Final = Bounds(late_seconds=300)
_BOTH: Final = Bounds(stale_seconds=300, clocks_seconds=240)
_ALL: Final = Bounds(stale_seconds=300, clocks_seconds=240, late_seconds=300)

STORES: Final = ("versions", "table")
LIFETIMES: Final = (DAY_SECONDS, HOUR_SECONDS)


def all_of_it() -> list[Bounds]:
    """Return the bounds of the command, for each claim store and lifetime."""
    kinds = (_STALE, _CLOCKS, _LATE, _BOTH, _ALL)
    return [
        replace(kind, claims=claims, lifetime_seconds=lifetime)
        for claims in STORES
        for lifetime in LIFETIMES
        for kind in kinds
    ] + [replace(kind, claims="table", lifetime_seconds=HOUR_SECONDS // 2) for kind in kinds]
