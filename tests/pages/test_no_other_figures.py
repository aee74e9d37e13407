"""No page states a time or a percentage that no test compares with the code."""

import re
import runpy
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from pages.generated import MARKED

ROOT = Path(__file__).parents[2]
PAGES = [*(ROOT / f"{name}.md" for name in ("README", "SECURITY", "CONTRIBUTING")), *sorted(ROOT.glob("docs/*.md"))]
COMPUTED: Final = {
    "commands",
    "cost",
    "fleet-cost",
    "fleet-limits",
    "proof-figures",
    "provider-calendar",
    "provider-kinds",
}
"""Parts of pages whose figures are computed, or are those of an option."""
FIGURE = re.compile(
    r"\b(?!(?:a|one)[ -](?:second|minute|week|month)\b)"
    r"(?:\d[\d,.]*|an?|half an|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
    r"[ -](?:seconds?|minutes?|hours?|days?|weeks?|months?)\b|\b[\d.]+ %"
    r"|thirds? of (?:\w+ )*?(?:\w+'s )?life"
)
THEIRS: Final = (
    # AWS's.
    "Its shortest interval is [4 hours], and many access tokens live",
    "A write lands within 5 minutes after its call",
    "its backups for 35 more",
    "free again after these 7 days",
    "event and error, for 14 days",
    "as CloudTrail reports them, for 14 days",
    # A provider's, or another product's.
    "webhook; stops after 4 days of failures",
    "with a delay (up to 24 hours)",
    # Lives of tokens as examples.
    "one token that lives a day, such as",
    "one-hour.template.json",
    "one token that lives an hour, such as",
    "a token that lives an hour expires between two runs",
    # What people do, and how long it takes them.
    "five minutes on two cores",
    "a day to write and test",
    "It takes an hour or more",
    "People save at most 10 versions a day",
    "many grants of one day end together",
    "Add a provider in ten minutes",
    "## In ten minutes",
    # Tests of their own compare them: tests/webhooks/test_page.py, tests/changes/test_grants.py.
    "keeps that record for 7 days",
    "A session ends after 2 hours",
    "a secret takes 5 redirects a day",
)
"""What others decide, or compare."""


def without_addresses(text: str) -> str:
    return re.sub(r"(?<=\])\([^)\s]*\)", "", " ".join(text.split()))


def sentences() -> dict[str, list[str]]:
    """Return the sentences with figures that the tests beside this one compare, by page."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in Path(__file__).parent.glob("test_*.py"):
        if "\nSAID = {" in file.read_text():
            for page, said in runpy.run_path(str(file))["SAID"].items():
                found[page.removeprefix("docs/")] += map(without_addresses, said)
    return found


COMPARED = sentences()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_figure_is_compared(page: Path) -> None:
    """Each is in a sentence that a test compares with a constant, or is somebody else's."""
    text = MARKED.sub(lambda part: "" if part[1] in COMPUTED else part[0], page.read_text())
    text = without_addresses(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for sentence in sorted([*COMPARED[page.name], *THEIRS], key=len, reverse=True):
        text = text.replace(sentence, "")

    named = str(page.relative_to(ROOT))
    assert [] == [text[max(0, found.start() - 40) : found.end() + 40] for found in FIGURE.finditer(text)], (
        f"put each sentence, with the constant that it states, into SAID[{named!r}] of tests/pages/test_figures.py; "
        "if somebody else decides the figure, put it into THEIRS of this file"
    )


def test_each_exception_is_on_a_page() -> None:
    """What no page says any more is no exception."""
    pages = [without_addresses(page.read_text()) for page in PAGES]

    assert [] == [words for words in THEIRS if not any(words in page for page in pages)]
