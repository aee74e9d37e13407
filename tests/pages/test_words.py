"""Pages and help texts use the glossary's words, and say who does what."""

import re
from pathlib import Path
from typing import Final

import pytest

from repository import texts_of

ROOT: Final = Path(__file__).parents[2]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "SECURITY", "CONTRIBUTING")),
    *ROOT.glob("*/README.md"),
    *sorted(ROOT.glob("docs/*.md")),
]
INSTEAD: Final = {
    r"kept tokens?": "refused tokens",
    r"kept response": "unread response",
    r"grants? (?:read|access) to": "permission",
    r"(?i:whoever)": "a caller that, everybody who, a person who",
    r"mend(?:s|ed)?\b": "repair, correct, fix",
    r"inner rooms?": "package",
    r"[Tt]he one way to AWS": "the AWS access layer",
    r"for good\b": "permanently",
}
"""What one word of the glossary replaced, or hides who acts."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_word_that_has_a_plainer_one(page: Path) -> None:
    """A page has none of these words outside of names in backquotes."""
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)

    found = {word: plainer for word, plainer in INSTEAD.items() if re.search(rf"\b{word}", text)}
    assert {} == found, "the plainer word is beside each"


SPEAKS: Final = re.compile(
    r"\b(?:grants?|claims?|token (?:sets?|secrets?)|unread responses?|refused tokens|redeems?)\b"
)
"""Words that only the glossary explains."""


def test_a_page_that_needs_the_glossary_links_it() -> None:
    """A page that uses its words four times or more links it; `commands.md` is what `--help` prints."""
    pages = {page.name: page.read_text() for page in PAGES if page.parent.name == "docs"}
    prose = {name: re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL) for name, text in pages.items()}
    needing = {name for name, text in prose.items() if len(SPEAKS.findall(text)) > 3} - {"commands.md", "glossary.md"}

    assert set() == {name for name in needing if "](glossary.md)" not in prose[name]}
    assert {"maintain.md", "threats.md", "grants.md"} <= needing


def test_no_message_has_a_word_that_has_a_plainer_one() -> None:
    """What a person reads on a screen, in a log or in an alarm has none of these words, either."""
    rooms = (ROOT / name for name in ("reader/token_refresh", "worker", "admin", "infra"))
    modules = [
        path for room in rooms for path in sorted(room.rglob("*.py")) if not {"cdk.out", "node_modules"} & {*path.parts}
    ]
    texts = [text for path in modules for text in texts_of(path) if " " in text[1]]  # a single word can be a name

    assert [] == [text for text in texts if re.search(rf"\b(?:{'|'.join(INSTEAD)})", re.sub("`[^`]*`", "", text[1]))]
    assert 1000 < len(texts)


def test_the_glossary_has_each_word_once() -> None:
    """A word has one row, and says more than its name."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word for word, meaning in rows if meaning != "---"]

    assert len(words) == len(set(words))
    assert {"grant", "permission", "claim", "copy", "refresh window", "unread response", "refused tokens"} <= {*words}
