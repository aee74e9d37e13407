"""The parts of pages that are made from code: `scripts/docs --write`."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from pages.docstrings import attributes
from pages.generated import MARKED, filled, pages
from pages.named_parts import PARTS
from pages.parts import commands, machine
from token_refresh_admin.cli.app import app
from token_refresh_infra.context import readers_of
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_worker.run.settings import Variable


@pytest.mark.parametrize("page", [page for page in pages() if MARKED.search(page.read_text())], ids=lambda p: p.name)
def test_page_is_current(page: Path) -> None:
    """Each part of a page is what the code says now."""
    assert page.read_text() == filled(page.read_text()), "run: scripts/docs --write"


def test_each_part_is_on_one_page() -> None:
    """No part is made for nothing, and none is said twice."""
    named = [name for page in pages() for name, _ in MARKED.findall(page.read_text())]

    assert sorted(PARTS) == sorted(named)


def test_each_variable_is_described_once() -> None:
    """A variable without words of its own has those of the parameter of its name."""
    undescribed = {one.lower().removesuffix("_id") for one in Variable if one not in attributes(Variable)}

    assert undescribed
    assert undescribed <= readers_of(SingleParameters).keys()


def test_a_part_replaces_what_is_between_its_marks() -> None:
    """What a person wrote around them stays."""
    old = "Before.\n<!-- generated: states -->\nold\n<!-- /generated -->\nAfter.\n"

    before, *table, after = filled(old).splitlines()

    assert ("Before.", "After.") == (before, after)
    assert PARTS["states"]() == "\n".join(table[1:-1])


def test_one_part_alone_is_made() -> None:
    """Whoever changed one thing makes its part, and the others stay."""
    old = (
        "<!-- generated: states -->\nold\n<!-- /generated -->\n<!-- generated: breakers -->\nold\n<!-- /generated -->\n"
    )

    assert (
        f"<!-- generated: states -->\nold\n<!-- /generated -->\n<!-- generated: breakers -->\n{PARTS['breakers']()}\n"
        in (filled(old, ["breakers"]))
    )


@pytest.mark.parametrize("gone", ["claims.limit", "findings[]"])
def test_a_field_without_words_is_named(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who adds a field to what `status --json` prints learns that it needs words, and where."""
    monkeypatch.delitem(machine.STATUS, gone)

    with pytest.raises(ValueError, match=re.escape(f"write words for ['{gone}']")):
        PARTS["json-status"]()


def test_examples_are_blocks() -> None:
    """Each example of a command stands in a block of its own, and no markup is left over."""
    text = commands.commands()

    assert 10 < text.count("**Examples**:\n\n```text\ntoken-refresh ")
    assert "[bold]" not in text
    assert "&#" not in text


def test_the_common_options() -> None:
    """What the page says of the options that commands share is so, for each command on a secret and on a fleet."""
    top = typer.main.get_command(app)
    assert isinstance(top, typer.core.TyperGroup)
    fleet, claims = top.commands["fleet"], top.commands["claims"]
    assert isinstance(fleet, typer.core.TyperGroup)
    assert isinstance(claims, typer.core.TyperGroup)
    on_secret = {**top.commands, **claims.commands}
    shared = {"--region", "--profile", "--provider", "--function", "--debug"}

    def options(command: Any) -> dict[str, str]:
        return {name: option.help for option in command.params for name in option.opts if name in shared}

    for name in on_secret.keys() - {"providers", "fleet", "claims"}:
        assert shared == set(options(on_secret[name])), name
    of_status = options(on_secret["status"])["--provider"]
    meant = {name: options(command).get("--provider") for name, command in fleet.commands.items()}
    assert {"add": of_status} == {name: text for name, text in meant.items() if text not in {None, "One provider."}}
    assert {"status", "pause", "resume"} == {name for name, text in meant.items() if text == "One provider."}
    for command in fleet.commands.values():
        assert {"--region", "--profile", "--debug"} == options(command).keys() - {"--provider"}
