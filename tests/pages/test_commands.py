"""docs/commands.md repeats the command line's help."""

from pages.commands import PAGE, page


def test_page_is_current() -> None:
    """The page is what `scripts/docs --write` makes now."""
    assert PAGE.read_text() == page(), "run: scripts/docs --write"


def test_examples_are_blocks() -> None:
    """Each example stands in a block of its own, and no markup is left over."""
    text = page()

    assert 10 < text.count("**Examples**:\n\n```text\ntoken-refresh ")
    assert "[bold]" not in text
    assert "&#" not in text
