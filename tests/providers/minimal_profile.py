"""The least profile that is valid, and one with changes."""

from datetime import date
from functools import partial
from typing import Any

from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.providers.schema import read_provider
from token_refresh_worker.providers.table import TomlTable

EVIDENCE: dict[str, Any] = {"says": "a fact", "source": "https://example.com/docs", "on": date(2026, 11, 24)}


GONE = {"status": 400, "fields": {"a": "x", "b": "y"}}


LEAST: dict[str, Any] = {"title": "Example", "rotation": "always", "grace": 0, "evidence": [EVIDENCE]}


def read(**changes: Any) -> Provider:
    return TomlTable(LEAST | changes, "example.toml").read_all(partial(read_provider, "example"))
