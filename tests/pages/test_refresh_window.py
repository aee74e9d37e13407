"""The pages that repeat the rule of the refresh window, its default or the shortest lifetimes."""

import re
from pathlib import Path

import pytest

from testbed.builders import DAY, MINUTE
from token_refresh.stored.refresh_window import DEFAULT_WINDOW, LARGEST_PART, refresh_window
from token_refresh_worker.providers.lifetime import shortest_lifetime
from token_refresh_worker.stored.origin import ClaimStoreKind

ROOT = Path(__file__).parents[2]

WINDOW = {1 / 3: "a third", 1 / 2: "half"}[LARGEST_PART]
VERSIONS, TABLE = (f"{shortest_lifetime(store) / MINUTE:g}" for store in ClaimStoreKind)
REFRESHES_A_MONTH = 30 * DAY // (DAY - refresh_window(DEFAULT_WINDOW, DAY))

SAID = {
    "README.md": [f"at least {VERSIONS} minutes**, or {TABLE} with [claims in a table]"],
    "docs/deploy.md": [
        f"at least {VERSIONS} minutes with claims in the secret, and at least {TABLE} minutes with claims in a table",
        f"of which {REFRESHES_A_MONTH} refresh a 24-hour token 8 hours before it expires",
        f"+ {REFRESHES_A_MONTH} refreshes",
    ],
    "docs/fleet.md": [f"Access tokens must live at least {TABLE} minutes"],
    "docs/mcp.md": ["token_lifetime_seconds = 3600 #"],  # no metadata says it, and a day is assumed
    "docs/parameters.md": [f"at most {WINDOW} of its life. Default: the profile's, else {DEFAULT_WINDOW.seconds}"],
    "docs/protocol.md": [f"at most {WINDOW} of the lifetime"],
    "docs/tutorial.md": ["refreshed eight hours before it expires"],
    "docs/compare.md": [f"live less than {TABLE} minutes"],
}
"""Where the rule, its default and the shortest lifetimes stand in words."""


@pytest.mark.parametrize("page", SAID)
def test_a_page_says_what_the_code_does(page: str) -> None:
    """Who changes the rule finds here the sentences that are wrong then."""
    words = " ".join((ROOT / page).read_text().split())

    assert [] == [sentence for sentence in SAID[page] if sentence not in words]


def test_each_page_that_repeats_the_rule_is_listed() -> None:
    """No other page names the parts of a life, or the shortest lifetimes."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    rule = re.compile(rf"thirds? of (?:\w+ )*?(?:\w+'s )?life|\b(?:{VERSIONS}|{TABLE}) minutes")

    assert set() == {str(page.relative_to(ROOT)) for page in pages if rule.search(page.read_text())} - SAID.keys()
