"""How Sphinx builds the site: `scripts/docs`."""

project = "token-refresh-worker"
author = "The token-refresh-worker maintainers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.mermaid"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = project

exclude_patterns = ["README.md"]  # index.md includes it

# Pages are read on GitHub, too: links there go to headings and to files outside docs/.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
default_role = "code"  # docstrings write names as Markdown does

linkcheck_ignore = [r"http://127\.0\.0\.1", r"https://www\.upwork\.com/"]  # an example; refuses programs
linkcheck_anchors = False  # many sites make them with scripts
