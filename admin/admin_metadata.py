"""Pins our own packages among `dependencies` to the version that all of them have."""

from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_OURS = {"token-refresh", "token-refresh-worker"}


class AdminHook(MetadataHookInterface):
    """Pin what is ours."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Replace `token-refresh` by `token-refresh==VERSION`, and the worker likewise."""
        metadata["dependencies"] = [
            f"{need}=={metadata['version']}" if need in _OURS else need for need in metadata["dependencies"]
        ]
