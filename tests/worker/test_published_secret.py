"""A function whose published secret is the token secret, however the two are named."""

import json

import pytest

from worker.ground import TOKENS, Ground


@pytest.mark.parametrize("named", ["name", "ARN", "ARN without its suffix"])
def test_the_token_secret_is_never_its_own_published_copy(named: str) -> None:
    """The copy would replace the refresh token: every run refuses it by name, and the token set stays current."""
    with Ground() as ground:
        document = ground.fresh()
        arn = ground.store.call("DescribeSecret", {"SecretId": TOKENS})["ARN"]
        ids = {"name": TOKENS, "ARN": arn, "ARN without its suffix": arn[:-7]}
        ground.settings["PUBLISHED_SECRET_ID"] = ids[named]

        assert ["ConfigurationError"] * 2 == [ground.run(event) for event in ({}, {"force": True})]
        assert "PUBLISHED_SECRET_ID" in str(ground.error)
        assert f"names secret {TOKENS} in eu-central-1 itself" in str(ground.error)
        current = json.loads(ground.store.call("GetSecretValue", {"SecretId": TOKENS})["SecretString"])
        assert document == current
        assert not ground.endpoint.requests
