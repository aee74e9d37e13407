"""docs/protocol.md says what the code does, where it repeats it."""

from pathlib import Path

import pytest

from token_refresh_worker.core.attempts import REDEMPTIONS_KEPT
from token_refresh_worker.core.plan import LOST_CLAIMS, STALENESS
from token_refresh_worker.core.schedule import FIRST_BACKOFF, FORCED_CLAIMS_A_DAY
from token_refresh_worker.providers.lifetime import CLAIMS_A_DAY
from token_refresh_worker.stored.origin import ClaimStoreKind


@pytest.fixture(scope="module")
def page() -> str:
    path = Path(__file__).parents[2] / "docs" / "protocol.md"
    if not path.exists():
        pytest.skip("the page is not beside these tests")
    return path.read_text()


def test_the_limits_are_the_code_s(page: str) -> None:
    """Every number on the page is the one that counts."""
    versions, table = CLAIMS_A_DAY[ClaimStoreKind.VERSIONS], CLAIMS_A_DAY[ClaimStoreKind.TABLE]
    words = " ".join(page.split())

    for sentence in (
        f"| claims in 24 hours | {versions} | {table} |",
        f"the last {REDEMPTIONS_KEPT} attempts that may have redeemed",
        f"Reads of Secrets Manager are at most {STALENESS.seconds} seconds old",
        f"the copy is over {STALENESS.seconds} s old",
        f"the next {LOST_CLAIMS} claims that the table may have held",
        f"may force {FORCED_CLAIMS_A_DAY} claims in 24 hours",
        f"then {FIRST_BACKOFF.seconds // 60} minutes, doubled each time",
    ):
        assert sentence in words
