"""A lifetime that the claim store can't keep up with is refused, with the way out."""

from datetime import timedelta

import pytest

from testbed.builders import DAY, MINUTE
from token_refresh_worker.providers.lifetime import lifetime_problem, shortest_lifetime
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.stored.origin import ClaimStoreKind

SECOND = timedelta(seconds=1)
VERSIONS, TABLE = ClaimStoreKind.VERSIONS, ClaimStoreKind.TABLE
SHORTEST, IN_TABLE = shortest_lifetime(VERSIONS), shortest_lifetime(TABLE)


@pytest.mark.parametrize("store", [VERSIONS, TABLE])
def test_a_lifetime_that_fits(store: ClaimStoreKind) -> None:
    """The shortest lifetime fits, and any longer one."""
    assert None is lifetime_problem(shortest_lifetime(store), store) is lifetime_problem(DAY, store)


@pytest.mark.parametrize(
    ("lifetime", "store", "says"),
    [
        (SHORTEST - SECOND, VERSIONS, f"must live at least {SHORTEST / MINUTE:g} minutes. Keep claims in a table: add"),
        (IN_TABLE, VERSIONS, f"live {IN_TABLE / MINUTE:g} minutes, and with claims kept in versions of the secret"),
        (IN_TABLE - SECOND, VERSIONS, f"Make access tokens live at least {IN_TABLE / MINUTE:g} minutes in the prov"),
        (10 * MINUTE, TABLE, "access tokens live 10 minutes, and with claims kept in a table they must live"),
    ],
)
def test_the_way_out_is_named(lifetime: timedelta, store: ClaimStoreKind, says: str) -> None:
    """The message says how long tokens live, what they must live, and what to change."""
    assert says in str(lifetime_problem(lifetime, store))


def test_each_profile_fits_a_table() -> None:
    """No profile describes tokens that this worker couldn't keep fresh; only three of them need the table."""
    lifetimes = {name: load_provider(name).access_token_lifetime or DAY for name in profile_names()}

    assert [] == [name for name, life in lifetimes.items() if lifetime_problem(life, TABLE)]
    need_table = [name for name, life in lifetimes.items() if lifetime_problem(life, VERSIONS)]
    assert ["hubspot", "servicenow", "xero"] == need_table
