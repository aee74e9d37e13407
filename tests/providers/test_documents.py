"""A token document chooses neither the provider nor the host that receives its token."""

import time
from pathlib import Path
from typing import Any

import pytest

from providers.scene import TOKENS, Scene
from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers import loader

GROUP = "unmeasured"


def test_a_document_of_another_provider_is_refused(scene: Scene) -> None:
    """In a deployment for one provider, another provider's token is never sent; no run changes that, forced or not."""
    scene.store(provider="canary")

    for event in ({}, {"force": True}, {"dry_run": True}):
        assert "canary" not in str(scene.fail(ConfigurationError, **event))
    assert [] == scene.imitation.statuses


def test_a_run_that_finds_nothing_due_parses_one_profile(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh run reads the one profile that it needs, out of all of them."""
    parsed = []
    read_text = Path.read_text

    def seen(path: Path, *arguments: Any, **options: Any) -> str:
        parsed.append(path.name)
        return read_text(path, *arguments, **options)

    scene.store(expiresAt=time.time_ns() // 1_000_000 + 86_400_000)
    loader._read_ours.cache_clear()  # noqa: SLF001 - as in a new process
    monkeypatch.setattr(Path, "read_text", seen)

    assert "fresh" == scene.run()["outcome"]
    assert ["upwork.toml"] == [name for name in parsed if name.endswith(".toml")]


def test_no_key_of_a_document_names_the_endpoint(scene: Scene) -> None:
    """An endpoint in the document is one of the keys that are kept, and nothing else."""
    scene.store(**dict.fromkeys(["tokenEndpoint", "token_endpoint", "TOKEN_ENDPOINT", "host"], "http://127.0.0.1:1/"))

    assert "refreshed" == scene.run()["outcome"]
    assert [200] == scene.imitation.statuses


@pytest.mark.parametrize("variables", [None, {"shop": "canary.example.com/"}, "canary", ["canary"]])
@pytest.mark.parametrize("scene", ["shopify"], indirect=True)
def test_a_wrong_variable_is_refused(scene: Scene, variables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is missing, or that tries to leave its place, ends the run before anything is claimed or sent."""
    monkeypatch.delenv("TOKEN_ENDPOINT")
    scene.store(providerVariables=variables)

    said = str(scene.fail(ConfigurationError))

    assert "provider shopify needs the variable shop" in said
    assert "canary" not in said
    assert 1 == len(scene.client.list_secret_version_ids(SecretId=TOKENS)["Versions"])


@pytest.mark.parametrize("scene", ["paypal"], indirect=True)
def test_client_credentials_need_no_tokens_to_begin_with(scene: Scene) -> None:
    """The first run of a client credentials grant starts from a secret with the client's credentials only."""
    scene.store(accessToken=None, expiresAt=None)

    assert "refreshed" == scene.run()["outcome"]

    document = scene.document()
    assert scene.imitation.newest_access_token == document["accessToken"]
    assert "refreshToken" not in document
    assert "fresh" == scene.run()["outcome"]


@pytest.mark.parametrize("scene", ["paypal"], indirect=True)
def test_client_credentials_that_are_missing(scene: Scene) -> None:
    """Another provider's user reads of the document's keys, and not of Upwork's variables."""
    scene.client.create_secret(Name=TOKENS, SecretString='{"expires_at": 1800000000}')

    said = str(scene.fail(ConfigurationError))

    assert "Looked for client_id and client_secret in secret " in said
    assert "UPWORK" not in said
