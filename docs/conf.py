"""How Sphinx builds the site: `scripts/docs`."""

import inspect
import re
import sys
from pathlib import Path

project = "token-refresh-worker"
author = "The token-refresh-worker maintainers"
copyright = "the maintainers of token-refresh-worker; Apache-2.0"  # noqa: A001 - Sphinx's name; the footer of each page
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/favicon.svg"
html_show_sphinx = False
html_copy_source = False
myst_html_meta = {
    "description": "Keeps OAuth 2.0 access tokens in AWS Secrets Manager fresh, even where refresh tokens work once"
}

exclude_patterns = ["README.md"]  # it is the front page

# Pages are read on GitHub, too: links there go to headings and to files outside docs/.
myst_heading_anchors = 4
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"  # fields of a value stand once, as its attributes
autoclass_content = "both"  # the parameters of a class are in the docstring of its `__init__`
autodoc_member_order = "bysource"
maximum_signature_line_length = 88  # longer ones have a line for each parameter
default_role = "code"  # docstrings write names as Markdown does

linkcheck_ignore = [r"http://127\.0\.0\.1", r"https://www\.upwork\.com/"]  # an example; refuses programs
linkcheck_anchors = False  # many sites make them with scripts

ELSEWHERE = {
    "index": "docs/README.md",
    "pitch": "README.md",
    "security": "SECURITY.md",
    "contributing": "CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
}
"""The pages of the site that stand outside docs/ or under another name."""


def take_from_elsewhere(_app: object, page: str, source: list[str]) -> None:
    """Put a file in its page's place, and give every page the links that the site has."""
    text = source[0]
    if page in ELSEWHERE:
        text = (Path(__file__).parents[1] / ELSEWHERE[page]).read_text("utf-8").replace("](docs/", "](") + text
        text = text.replace("](worker/README.md)", "](architecture.md)").replace("](examples/", "](../examples/")
    for name, path in ELSEWHERE.items():
        text = re.sub(rf"\]\((\.\./)?{re.escape(path.removeprefix('docs/'))}(?=[)#])", f"]({name}.md", text)
    source[0] = text


def complete(_app: object, _what: str, _name: str, documented: object, _options: object, lines: list[str]) -> None:
    """Show the parameters and errors of `get` with `aget`, which does what `get` does."""
    if lines and lines[0].startswith("Create new instance of "):  # Python's own words about a named tuple
        lines.clear()
    if twin := re.match(r"Do what `(\w+)` does", lines[0] if lines else ""):
        owner = getattr(sys.modules[documented.__module__], documented.__qualname__.partition(".")[0])
        sections = re.split(r"\n(?=Args:|Raises:)", inspect.getdoc(getattr(owner, twin[1])))[1:]
        lines += [line for section in sections for line in ("", *section.splitlines())]


def setup(app: object) -> None:
    """Register what the site needs beside the extensions."""
    app.connect("source-read", take_from_elsewhere)
    app.connect("autodoc-process-docstring", complete, priority=400)  # before napoleon reads the sections
