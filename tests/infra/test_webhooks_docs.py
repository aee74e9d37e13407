"""docs/webhooks.md says what is deployed."""

from __future__ import annotations

import re
from pathlib import Path

from infra.synthesis import ROOT
from token_refresh_infra.common import CommonParameters
from token_refresh_infra.context import names_of
from token_refresh_infra.deployment_file import read_deployment
from token_refresh_infra.modes import parameters_of
from token_refresh_infra.webhooks.parameters import WebhookParameters

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
# Common to all modes, and of no use to a receiver.
WITHOUT_EFFECT = {"dashboard", "log_level", "provider_profiles"}
SECTION = PAGE.split("\n## Deploy a receiver\n")[1].split("\n## ")[0]


def test_parameters() -> None:
    """The page has a row for each parameter of its own, and names those that every deployment has."""
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", SECTION, re.MULTILINE))
    (others,) = re.findall(r"^(`environment`.*?) are as in \[Parameters\]", SECTION, re.MULTILINE | re.DOTALL)
    own = {*names_of(WebhookParameters)} - {*names_of(CommonParameters)}
    assert {*own, "memory_mb", "reserved_concurrency", "kms_key"} == rows
    assert {*names_of(WebhookParameters)} - rows - WITHOUT_EFFECT == set(re.findall(r"`([a-z_]+)`", others))


def test_defaults() -> None:
    """Each default on the page is the one that is used."""
    defaults = parameters_of({"mode": "webhooks", "environment": "prod", "stripe_secret": "a"})
    said = dict(re.findall(r"^\| `([a-z_]+)` \| `?([a-z0-9]+)`? \|", SECTION, re.MULTILINE))
    found = {name: value for name, value in said.items() if value != "none"}
    assert {"overlap_seconds", "service", "memory_mb", "timeout_seconds", "reserved_concurrency"} == set(found)
    assert found == {name: str(getattr(defaults, name)) for name in found}


def test_deployment_file(tmp_path: Path) -> None:
    """The file on the page is one that can be deployed."""
    (text,) = re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)
    (tmp_path / "webhooks.toml").write_text(text)
    _, parameters = read_deployment("webhooks", folder=tmp_path)
    assert "token-refresh-prod-webhooks" == parameters.stack_name
