"""A lifetime that the claim store can't keep up with is refused, with the way out."""

from datetime import timedelta

import pytest

from token_refresh_worker.core.schedule import CLAIMS_A_DAY
from token_refresh_worker.providers.lifetime import SHORTEST_WITH_TABLE, SHORTEST_WITH_VERSIONS, lifetime_problem
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.stored.origin import ClaimStoreKind

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("lifetime", "in_table"),
    [(SHORTEST_WITH_VERSIONS, False), (SHORTEST_WITH_TABLE, True), (DAY, False), (DAY, True)],
)
def test_a_lifetime_that_fits(lifetime: timedelta, *, in_table: bool) -> None:
    """54 minutes fit with claims as versions, 27 with claims in a table."""
    assert None is lifetime_problem(lifetime, claims_in_table=in_table)


@pytest.mark.parametrize(
    ("lifetime", "in_table", "says"),
    [
        (
            SHORTEST_WITH_VERSIONS - SECOND,
            False,
            "must live at least 54 minutes. Keep claims in a table: deploy with",
        ),
        (SHORTEST_WITH_TABLE, False, "live 27 minutes, and with claims kept in versions of the secret they must live"),
        (SHORTEST_WITH_TABLE - SECOND, False, "must live at least 54 minutes. Make access tokens live at least 27 min"),
        (
            timedelta(minutes=10),
            True,
            "access tokens live 10 minutes, and with claims kept in a table they must live",
        ),
    ],
)
def test_the_way_out_is_named(lifetime: timedelta, says: str, *, in_table: bool) -> None:
    """The message says how long tokens live, what they must live, and what to change."""
    assert says in (lifetime_problem(lifetime, claims_in_table=in_table) or "")


@pytest.mark.parametrize(
    ("shortest", "store"),
    [(SHORTEST_WITH_VERSIONS, ClaimStoreKind.VERSIONS), (SHORTEST_WITH_TABLE, ClaimStoreKind.TABLE)],
)
def test_the_limits_are_the_stores_own(shortest: timedelta, store: ClaimStoreKind) -> None:
    """Due after two thirds of its life, the shortest lifetime makes just as many claims a day as the store takes."""
    assert CLAIMS_A_DAY[store] == DAY / (shortest * 2 / 3)


def test_each_profile_fits_a_table() -> None:
    """No profile describes tokens that this worker couldn't keep fresh; only Xero and HubSpot need the table."""
    lifetimes = {name: load_provider(name).access_token_lifetime or DAY for name in profile_names()}

    assert [] == [name for name, life in lifetimes.items() if lifetime_problem(life, claims_in_table=True)]
    need_table = [name for name, life in lifetimes.items() if lifetime_problem(life, claims_in_table=False)]
    assert ["hubspot", "xero"] == need_table
