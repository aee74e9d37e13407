from concurrent.futures import ThreadPoolExecutor

import pytest

from races.kill_matrix import fault, is_window
from races.kills import PUBLISHING, REFRESH, Scenario, When, boundaries, kill
from testbed.testbed import PROVIDERS, SINGLE_USE, TOKEN_REQUEST, ProviderKind


@pytest.mark.parametrize(
    ("scenario", "provider", "calls"),
    [
        (REFRESH, SINGLE_USE, ("Put", TOKEN_REQUEST, "Update")),
        (
            PUBLISHING,
            SINGLE_USE,
            ("PutSecretValue a copy", "UpdateSecretVersionStage AWSCURRENT of the published copy"),
        ),
    ],
    ids=["refresh", "publishing"],
)
def test_killed(scenario: Scenario, provider: ProviderKind, calls: tuple[str, ...]) -> None:
    """A run killed around any call that changes something loses no grant, but in the one window of single use.

    `scripts/prove kill-matrix` has every call of all kinds of runs and providers.
    """
    points = [boundary for boundary in boundaries(scenario, provider) if boundary.call.startswith(calls)]

    assert points
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda point: fault(point, provider, kill(scenario, provider, point)), points)
        assert dict.fromkeys(points) == dict(zip(points, found, strict=True))


def test_same_calls() -> None:
    """A run makes the same calls whatever the provider, each of which is a place to be killed at."""
    first, *others = [boundaries(REFRESH, provider) for provider in PROVIDERS]

    assert [first, first] == others
    assert {"before", "after"} <= {boundary.when for boundary in first if boundary.call == TOKEN_REQUEST}


def test_window() -> None:
    """In the one window consumers keep a valid access token while the hold lasts, and then a person is asked."""
    windows = [boundary for boundary in boundaries(REFRESH, SINGLE_USE) if is_window(boundary, SINGLE_USE)]

    with ThreadPoolExecutor(2) as pool:
        aftermaths = list(pool.map(lambda window: kill(REFRESH, SINGLE_USE, window), windows))

    assert [(TOKEN_REQUEST, When.AFTER), ("PutSecretValue staged tokens", When.BEFORE)] == [
        (window.call, window.when) for window in windows
    ]
    assert {("yielded", "RefreshOutcomeUnknown", "ReauthorizationRequired")} == {a.runs for a in aftermaths}
    assert {True} == {aftermath.served for aftermath in aftermaths}
