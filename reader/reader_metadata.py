"""The link of the package's metadata, from the one place that names the repository."""

import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ReaderHook(MetadataHookInterface):
    """Fill in `urls`: from the repository's own pyproject.toml, or as a source distribution has it already."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the link; a folder that was copied out of the repository has none."""
        project = Path(self.root).parent / "pyproject.toml"
        if "urls" not in metadata and project.exists():
            hooks = tomllib.loads(project.read_text("utf-8"))["tool"]["hatch"]["metadata"]["hooks"]
            metadata["urls"] = {"Source": hooks["custom"]["repository"]}
