"""The page of the Python API, as `scripts/docs` builds it."""

import io
import re
import shutil
import warnings
from pathlib import Path

import pytest
from docutils import nodes  # type: ignore[import-untyped] # it has no types
from sphinx import addnodes
from sphinx.application import Sphinx

DOCS = Path(__file__).parents[2] / "docs"
FIELD = re.compile(r"\W*(?P<name>\w+) \(.+\) \u2013 .+", re.DOTALL)
"""A parameter with its type and a description."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[addnodes.desc]:
    """Each class, function and method on the page."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(DOCS / "api.md", folder)
    overrides = {"root_doc": "api", "html_static_path": [], "html_css_files": []}
    with warnings.catch_warnings(action="ignore"):  # one part of Sphinx uses what another part deprecates
        site = Sphinx(folder, DOCS, folder / "out", folder, "dummy", overrides, status=None, warning=io.StringIO())
        site.build()
    callables = {"class", "exception", "function", "method"}
    return [node for node in site.env.get_doctree("api").findall(addnodes.desc) if node["objtype"] in callables]


def name_of(node: addnodes.desc) -> str:
    (name,) = node[0]["ids"]
    return str(name)


def described(node: addnodes.desc) -> set[str]:
    """The parameters with a description; those of a value are its attributes."""
    content = node[-1]
    fields = [field for part in content.children if isinstance(part, nodes.field_list) for field in part]
    texts = [
        text.astext()
        for field in fields
        if field[0].astext() == "Parameters"
        for text in field.findall(nodes.paragraph)
    ]
    attributes = [part for part in content.children if isinstance(part, addnodes.desc) and part[-1].astext()]
    return {found["name"] for text in texts if (found := FIELD.fullmatch(text))} | {
        name_of(part).rpartition(".")[2] for part in attributes if part["objtype"] == "attribute"
    }


def test_each_parameter_is_described(shown: list[addnodes.desc]) -> None:
    """The site describes each parameter of each public class, function and method, with its type."""
    missing = [
        f"{name_of(node)}: {parameter}"
        for node in shown
        # All errors are made as their base is, which is on the page.
        if node["objtype"] != "exception" or name_of(node).endswith(".TokenRefreshError")
        for part in node[0].findall(addnodes.desc_sig_name)
        if isinstance(part.parent, addnodes.desc_parameter) and (parameter := part.astext()) not in described(node)
    ]

    assert 30 < len(shown)
    assert [] == missing


def test_each_result_is_described(shown: list[addnodes.desc]) -> None:
    """What returns something says what."""
    returning = [
        node for node in shown if "Return type" in [field.astext() for field in node.findall(nodes.field_name)]
    ]
    ours = [node for node in returning if node["objtype"] in {"function", "method"}]

    assert [] == [name_of(node) for node in ours if not re.search(r"[Rr]eturn\b(?! type)|^Do what", node[-1].astext())]
