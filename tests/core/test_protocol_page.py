"""docs/protocol.md and docs/proof.md say what the code does, where they repeat it."""

from pathlib import Path

import pytest

from token_refresh_worker.core.attempts import MOST_REDEMPTIONS
from token_refresh_worker.core.plan import LOST_CLAIMS
from token_refresh_worker.core.schedule import CLOCKS_APART, FIRST_BACKOFF, FORCED_CLAIMS_A_DAY, SETTLED, STALENESS
from token_refresh_worker.providers.lifetime import claims_a_day
from token_refresh_worker.stored.origin import ClaimStoreKind


@pytest.fixture(scope="module")
def text() -> str:
    pages = [Path(__file__).parents[2] / "docs" / name for name in ("protocol.md", "proof.md")]
    if not pages[0].exists():
        pytest.skip("the pages are not beside these tests")
    return " ".join(word for page in pages for word in page.read_text().replace("**", "").split())


def test_the_limits_are_the_code_s(text: str) -> None:
    """Every number on the pages is the one that counts."""
    versions, table = (claims_a_day(store) for store in ClaimStoreKind)

    for sentence in (
        f"| claims in 24 hours | {versions} | {table} |",
        f"the last {MOST_REDEMPTIONS} possible redemptions",
        f"Reads of Secrets Manager are at most {STALENESS.seconds // 60} minutes old",
        f"(`Date`, `CreatedDate`, both services) are at most {CLOCKS_APART.seconds // 60} minutes apart",
        f"outlives its run by {SETTLED.seconds // 60} minutes",
        f"the copy is {SETTLED.seconds // 60} minutes old",
        f"the next {LOST_CLAIMS} claims that the table may have held",
        f"may force {FORCED_CLAIMS_A_DAY} claims in 24 hours",
        f"then {FIRST_BACKOFF.seconds // 60} minutes, doubled each time",
    ):
        assert sentence in text
