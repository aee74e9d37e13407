"""Whether a claim store can keep up with a token's lifetime. Deployment and worker call the same function.

A token falls due each time its life but the refresh window is over, and each time costs a claim. A shorter life would
reach the store's limit of claims in 24 hours, and runs would wait while the token expires.
"""

from datetime import timedelta
from typing import Final

from token_refresh.errors import ConfigurationError
from token_refresh.stored.refresh_window import LARGEST_PART
from token_refresh_worker.stored.origin import ClaimStoreKind

VERSIONS_A_DAY: Final = 80
"""A secret holds about 100 versions, and none is removed within 24 hours: 20 stay free. A full secret would refuse the
new tokens, after the redemption."""

VERSIONS_A_CLAIM: Final = {ClaimStoreKind.VERSIONS: 2, ClaimStoreKind.TABLE: 1}
"""A claim, where it is a version, and what follows it."""


def claims_a_day(store: ClaimStoreKind) -> int:
    """Say how many claims fit into 24 hours."""
    return VERSIONS_A_DAY // VERSIONS_A_CLAIM[store]


LIFETIMES_STATED: Final = 100
"""A response that states more than so many times the documented lifetime is not believed; the documented one counts."""
LIFETIMES_REMARKABLE: Final = 30
"""What real settings reach (Auth0). The run warns of more."""
MILLISECONDS: Final = 1000
"""Exactly so many times the lifetime before means it in milliseconds."""


def shortest_lifetime(store: ClaimStoreKind) -> timedelta:
    """Return how long access tokens must live, whatever the configured window, so that the claims suffice."""
    return timedelta(days=1) / claims_a_day(store) / (1 - LARGEST_PART)


def lifetime_problem(lifetime: timedelta, store: ClaimStoreKind) -> ConfigurationError | None:
    """Say why a lifetime doesn't fit the claim store, and what to do; None if it fits."""
    shortest, with_table = shortest_lifetime(store), shortest_lifetime(ClaimStoreKind.TABLE)
    if lifetime >= shortest:
        return None
    # A table helps down to its own limit; below it only the provider can.
    if lifetime >= with_table:
        # The line comes last, so that it can be copied.
        fix = 'Keep claims in a table: add this line to the deployment\'s file and deploy: claim_table = "create"'
    else:
        fix = f"Make access tokens live at least {_minutes(with_table)} in the provider's settings"
    where = "a table" if store is ClaimStoreKind.TABLE else "versions of the secret"
    return ConfigurationError(
        f"access tokens live {_minutes(lifetime)}, and with claims kept in {where} they must live at least "
        f"{_minutes(shortest)}",
        fix=fix,
    )


def _minutes(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 60:g} minutes"
