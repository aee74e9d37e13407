"""What people write on pages is short, and is said once; the promises are said in the same words."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from pages.generated import MARKED

ROOT = Path(__file__).parents[2]
PAGES = [*(ROOT / f"{name}.md" for name in ("README", "SECURITY", "CONTRIBUTING")), *sorted(ROOT.glob("docs/*.md"))]
PROMISED = (ROOT / "README.md").read_text().split("\n## What is promised")[1].split("\n## ")[0]
PROMISES = re.findall(r"^- \*\*(.+)\*\*", PROMISED, re.MULTILINE)
MOST_WORDS = 2_000
WORDS_IN_A_ROW = 10


def by_hand(page: Path) -> str:
    """Return a page without what `scripts/docs --write` makes."""
    return MARKED.sub("", page.read_text())


def rows_of_words(page: Path) -> Iterator[tuple[str, ...]]:
    """Yield each ten words in a row of a sentence, or of a cell of a table. Examples rightly repeat each other."""
    text = re.sub(r"(?<=\])\([^)]*\)", "", re.sub(r"```.*?```", "\n\n", by_hand(page), flags=re.DOTALL))
    for promise in PROMISES:
        text = text.replace(promise, "")
    for part in re.split(r"\n\n|\n *(?:-|\d+\.) |[.:?!]\s|\|", text):
        words = re.findall(r"[\w'-]+", part.lower())
        yield from zip(*(words[start:] for start in range(WORDS_IN_A_ROW)), strict=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_read_in_ten_minutes(page: Path) -> None:
    """A page has at most 2,000 words that a person wrote, or says in a line why it has more."""
    assert len(by_hand(page).split()) <= MOST_WORDS or re.search(
        r"^This page is long: .+\.$", by_hand(page), re.MULTILINE
    )


def test_no_sentence_is_on_two_pages() -> None:
    """Ten words in a row are on one page: a fact that changes is corrected in one place."""
    said = {page: set(rows_of_words(page)) for page in PAGES}

    twice = {(one.name, other.name): said[one] & said[other] for one, other in combinations(said, 2)}
    assert {} == {pages: {" ".join(words) for words in both} for pages, both in twice.items() if both}


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/proof.md"])
def test_the_same_promise_has_the_same_words(page: str) -> None:
    """The README's promises are those that the security page limits and the proof has in full."""
    text = (ROOT / page).read_text()

    assert PROMISES
    assert [] == [promise for promise in PROMISES if f"**{promise}**" not in text]
