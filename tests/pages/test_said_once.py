"""What people write on pages is short, and stands on one page."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from pages.generated import MARKED

ROOT = Path(__file__).parents[2]
TOO_LONG = {"webhooks.md"}
PAGES = [*(ROOT / f"{name}.md" for name in ("README", "SECURITY", "CONTRIBUTING")), *sorted(ROOT.glob("docs/*.md"))]
PAGES = [page for page in PAGES if page.name not in TOO_LONG]
MOST_WORDS = 2_000
RUN_OF_WORDS = 12


def by_hand(page: Path) -> str:
    """Return a page without what `scripts/docs --write` makes."""
    return MARKED.sub("", page.read_text())


def passages(page: Path) -> Iterator[tuple[str, ...]]:
    """Yield each run of twelve words of a sentence, or of a cell of a table; examples repeat each other rightly."""
    text = re.sub(r"(?<=\])\([^)]*\)", "", re.sub(r"```.*?```", "\n\n", by_hand(page), flags=re.DOTALL))
    for part in re.split(r"\n\n|\n *(?:-|\d+\.) |[.:?!]\s|\|", text):
        words = re.findall(r"[\w'-]+", part.lower())
        yield from zip(*(words[start:] for start in range(RUN_OF_WORDS)), strict=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_read_in_ten_minutes(page: Path) -> None:
    """No page has over 2,000 words that a person wrote: who looks for one thing finds it."""
    assert len(by_hand(page).split()) <= MOST_WORDS


def test_no_sentence_is_on_two_pages() -> None:
    """Twelve words in a row are on one page: a fact that changes is corrected in one place."""
    said = {page.name: set(passages(page)) for page in PAGES}

    twice = {(one, other): said[one] & said[other] for one, other in combinations(said, 2)}
    assert {} == {pages: {" ".join(words) for words in both} for pages, both in twice.items() if both}
