"""A lifetime that the claim store can't keep up with is refused, with the way out."""

from datetime import timedelta

import pytest

from builders import DAY, MINUTE
from token_refresh_worker.providers.lifetime import lifetime_problem
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.stored.origin import ClaimStoreKind

SECOND = timedelta(seconds=1)
VERSIONS, TABLE = ClaimStoreKind.VERSIONS, ClaimStoreKind.TABLE


@pytest.mark.parametrize(
    ("lifetime", "store"), [(54 * MINUTE, VERSIONS), (27 * MINUTE, TABLE), (DAY, VERSIONS), (DAY, TABLE)]
)
def test_a_lifetime_that_fits(lifetime: timedelta, store: ClaimStoreKind) -> None:
    """54 minutes fit with claims as versions, 27 with claims in a table."""
    assert None is lifetime_problem(lifetime, store)


@pytest.mark.parametrize(
    ("lifetime", "store", "says"),
    [
        (54 * MINUTE - SECOND, VERSIONS, "must live at least 54 minutes. Keep claims in a table: deploy with"),
        (27 * MINUTE, VERSIONS, "live 27 minutes, and with claims kept in versions of the secret they must live"),
        (27 * MINUTE - SECOND, VERSIONS, "must live at least 54 minutes. Make access tokens live at least 27 min"),
        (10 * MINUTE, TABLE, "access tokens live 10 minutes, and with claims kept in a table they must live"),
    ],
)
def test_the_way_out_is_named(lifetime: timedelta, store: ClaimStoreKind, says: str) -> None:
    """The message says how long tokens live, what they must live, and what to change."""
    assert says in (lifetime_problem(lifetime, store) or "")


def test_each_profile_fits_a_table() -> None:
    """No profile describes tokens that this worker couldn't keep fresh; only Xero and HubSpot need the table."""
    lifetimes = {name: load_provider(name).access_token_lifetime or DAY for name in profile_names()}

    assert [] == [name for name, life in lifetimes.items() if lifetime_problem(life, TABLE)]
    need_table = [name for name, life in lifetimes.items() if lifetime_problem(life, VERSIONS)]
    assert ["hubspot", "xero"] == need_table
