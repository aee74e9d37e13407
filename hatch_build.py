"""The parts of the package's metadata that stand elsewhere.

The links and the README's links name the repository; `token-refresh` is pinned to the version of all packages.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?!https?:|#|mailto:)(?P<path>[^)\s]+)\)")


class WorkerHook(MetadataHookInterface):
    """Fill in what is dynamic in `[project]`, and pin `token-refresh`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add `readme` and `urls`, and replace `token-refresh` by `token-refresh==VERSION`."""
        repository = self.config["repository"]
        metadata["dependencies"] = [
            f"{need}=={metadata['version']}" if need == "token-refresh" else need for need in metadata["dependencies"]
        ]
        text = Path(self.root, "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, repository)}
        metadata["urls"] = {
            "Source": repository,
            "Documentation": f"{repository}/tree/main/docs",
            "Changelog": f"{repository}/blob/main/CHANGELOG.md",
            "Issues": f"{repository}/issues",
        }


def absolute(text: str, repository: str) -> str:
    """Return Markdown whose links and pictures lead to the repository instead of to files beside it."""

    def replace(found: re.Match[str]) -> str:
        kind = "raw" if found["image"] else "blob"
        return f"{found['image']}[{found['text']}]({repository}/{kind}/main/{found['path']})"

    return _RELATIVE.sub(replace, text)
