"""The whole worker against an imitation of each provider, over HTTP: refresh, dead grant, rate limit, lost response."""

import time

import pytest

from providers.scene import Scene
from token_refresh.errors import ClientRejected, ReauthorizationRequired, RefreshOutcomeUnknown
from token_refresh_worker.oauth.body import find
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.providers.loader import load_provider, profile_names

GROUP = "unmeasured"

pytestmark = pytest.mark.no_cover  # runs the same lines for each provider, which coverage makes twice as slow

every_provider = pytest.mark.parametrize("scene", profile_names(), indirect=True)
KINDS = {
    (provider.grace.ends_by, bool(provider.grace.duration), provider.request.grant, provider.request.encoding): name
    for name, provider in ((name, load_provider(name)) for name in profile_names())
}
"""A provider of each kind, as far as a repeated request goes."""


@every_provider
def test_a_refresh(scene: Scene) -> None:
    """A busy provider is asked again; its tokens are stored with the right lifetime, and every other key is kept."""
    scene.store()
    scene.imitation.play("busy")
    before_ms = time.time_ns() // 1_000_000

    assert "refreshed" == scene.run()["outcome"]

    document, imitation = scene.document(), scene.imitation
    assert ([], 1) == (imitation.faults, imitation.redemptions)
    assert [429, imitation.success["status"]] == imitation.statuses
    assert imitation.newest_access_token == document["accessToken"] != imitation.first.access
    assert imitation.newest_refresh_token == document.get("refreshToken")
    assert ("kept", scene.provider.name) == (document["note"], document["provider"])
    form = scene.provider.response
    tokens = find(imitation.success["body"], form.envelope)
    assert isinstance(tokens, dict), f"{scene.provider.name}.success.json has no object at {'.'.join(form.envelope)}"
    kept = {name: find(tokens, path) for name, path in form.extra.items()}
    assert kept == {name: document.get(name) for name in kept}
    assert [] == [name for name in kept if name not in document["tokenRefresh"]["kept"]]
    lived = (document["expiresAt"] - before_ms) / 1000
    documented = scene.provider.access_token_lifetime
    assert documented is None or 0.6 < lived / documented.total_seconds() < 1.4
    assert "fresh" == scene.run()["outcome"]
    assert [] == scene.leaked()


@every_provider
def test_a_dead_grant(scene: Scene) -> None:
    """A dead grant is `ReauthorizationRequired` after one request."""
    scene.store()
    scene.imitation.alive = False

    if scene.provider.request.grant is Grant.CLIENT_CREDENTIALS:
        scene.fail(ClientRejected)  # there is no grant that could end
    else:
        scene.fail(ReauthorizationRequired)

    assert (1, []) == (len(scene.imitation.statuses), scene.imitation.faults)
    assert [] == scene.leaked()


@pytest.mark.parametrize("scene", KINDS.values(), indirect=True)
def test_a_lost_response(scene: Scene) -> None:
    """A lost response is asked for again where the provider's grace allows that, and only there."""
    scene.store()
    scene.imitation.play("lost")

    if scene.provider.grace.duration:
        assert "refreshed" == scene.run()["outcome"]
        assert [None, scene.imitation.success["status"]] == scene.imitation.statuses
    else:
        scene.fail(RefreshOutcomeUnknown)
        assert [None] == scene.imitation.statuses
    assert [] == scene.leaked()


@pytest.mark.parametrize("scene", ["zoho", "slack", "facebook"], indirect=True)
def test_a_rate_limit_in_the_provider_s_own_words(scene: Scene) -> None:
    """A response that the profile lists as busy is asked again, whatever its status."""
    scene.store()
    scene.imitation.play("listed_as_busy")

    assert "refreshed" == scene.run()["outcome"]
    assert 2 == len(scene.imitation.statuses)
