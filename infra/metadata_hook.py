"""`token-refresh-worker` is pinned to the version that both packages have."""

from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class InfraHook(MetadataHookInterface):
    """Fill in `dependencies`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the pin to those in `[tool.hatch.metadata.hooks.custom]`."""
        metadata["dependencies"] = [f"token-refresh-worker=={metadata['version']}", *self.config["dependencies"]]
