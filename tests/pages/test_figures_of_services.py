"""The figures and waits on the pages for services and for providers are those of the code."""

from pathlib import Path

import pytest

from token_refresh_worker.changes.authorization_request import EXTRA_VALUE
from token_refresh_worker.oauth.client_auth import ASSERTION_LIFETIME
from token_refresh_worker.providers.provider import NOTICE

DOCS = Path(__file__).parents[2] / "docs"
MINUTE_SECONDS = 60

SAID = {
    "providers.md": [
        f"From {NOTICE.days} days before a provider ends",
        f"An assertion is valid for {ASSERTION_LIFETIME.seconds // MINUTE_SECONDS} minutes",
        f"another value than `{EXTRA_VALUE.pattern}`",
    ],
}
"""Each figure in its sentence."""


@pytest.mark.parametrize("page", SAID)
def test_a_page_has_the_figures_of_the_code(page: str) -> None:
    """Who changes a limit or a wait finds here the sentence that is wrong then."""
    words = " ".join((DOCS / page).read_text().split())

    assert [] == [sentence for sentence in SAID[page] if sentence not in words]
