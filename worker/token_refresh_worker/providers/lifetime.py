"""Whether a claim store can keep up with a token's lifetime. Deployment and worker call the same function.

A token is due after two thirds of its life, and each claim store takes so many claims in 24 hours. A shorter life would
reach that limit, and runs would wait while the token expires.
"""

from datetime import timedelta
from typing import Final

# A day / (54 min x 2/3) = 40 claims; tests/providers/test_lifetime.py holds both to the stores' limits.
SHORTEST_WITH_VERSIONS: Final = timedelta(minutes=54)
"""Claims as versions of the secret: 40 a day."""

SHORTEST_WITH_TABLE: Final = timedelta(minutes=27)
"""Claims in a DynamoDB table: 80 a day."""


def lifetime_problem(lifetime: timedelta, *, claims_in_table: bool) -> str | None:
    """Say why a lifetime doesn't fit the claim store, and the way out; None if it fits.

    Args:
        lifetime: How long an access token lives.
        claims_in_table: Whether `CLAIM_TABLE` is set.
    """
    shortest = SHORTEST_WITH_TABLE if claims_in_table else SHORTEST_WITH_VERSIONS
    if lifetime >= shortest:
        return None
    # A table helps down to its own limit; below it only the provider can.
    if lifetime >= SHORTEST_WITH_TABLE:
        way_out = 'Keep claims in a table: deploy with claim_table = "create", which sets CLAIM_TABLE'
    else:
        way_out = f"Make access tokens live at least {_minutes(SHORTEST_WITH_TABLE)} in the provider's settings"
    where = "a table" if claims_in_table else "versions of the secret"
    return (
        f"access tokens live {_minutes(lifetime)}, and with claims kept in {where} they must live at least "
        f"{_minutes(shortest)}. {way_out}"
    )


def _minutes(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 60:g} minutes"
