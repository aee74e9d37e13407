"""Providers that exchange an access token for the next one, where there is no refresh token."""

import json

import pytest

from providers.scene import TOKENS, Scene
from token_refresh.errors import ConfigurationError


@pytest.mark.parametrize("scene", ["facebook"], indirect=True)
@pytest.mark.parametrize(("key", "other"), [("accessToken", "expiresAt"), ("access_token", "expires_at")])
def test_an_exchange_needs_an_access_token(scene: Scene, key: str, other: str) -> None:
    """Without a token to exchange nothing is sent, and the error names the key as the document spells it."""
    document = {"clientId": "client-1", "clientSecret": "client-secret-1", key: None, other: None}
    scene.client.create_secret(Name=TOKENS, SecretString=json.dumps(document))

    said = str(scene.fail(ConfigurationError))

    assert f" has no {key}, which Facebook Login exchanges for a new one" in said
    assert 0 == scene.imitation.redemptions
