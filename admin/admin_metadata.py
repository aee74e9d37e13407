"""The parts of the package's metadata that stand elsewhere: the link, and the version that all packages have."""

import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_OURS = {"token-refresh", "token-refresh-worker"}


class AdminHook(MetadataHookInterface):
    """Fill in `urls`, and pin our own packages among `dependencies`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the link as `reader_metadata.py` does, and replace `token-refresh` by `token-refresh==VERSION`."""
        metadata["dependencies"] = [
            f"{need}=={metadata['version']}" if need in _OURS else need for need in metadata["dependencies"]
        ]
        project = Path(self.root).parent / "pyproject.toml"
        if "urls" not in metadata and project.exists():
            hooks = tomllib.loads(project.read_text("utf-8"))["tool"]["hatch"]["metadata"]["hooks"]
            metadata["urls"] = {"Source": hooks["custom"]["repository"]}
