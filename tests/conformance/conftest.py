"""One run of the suite for each backend; where moto is known to differ, its test has to fail."""

from collections.abc import Iterator

import pytest

from conformance.backends import BACKENDS, Backend, chosen

GROUP = "unmeasured"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "moto_differs(reason): moto is known to fail this test; it has to")
    config.addinivalue_line("markers", "moto_varies(reason): moto passes or fails this test by chance")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or callspec.params.get("backend") != "moto":
            continue
        for mark in item.iter_markers("moto_differs"):
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"moto {mark.args[0]}"))
        for mark in item.iter_markers("moto_varies"):
            item.add_marker(pytest.mark.skip(reason=f"moto {mark.args[0]}"))


@pytest.fixture(scope="session", params=chosen())
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with BACKENDS[request.param]() as made:
        yield made


@pytest.fixture
def empty_secret(backend: Backend) -> Iterator[str]:
    secret = backend.create()
    yield secret
    backend.delete(secret)


@pytest.fixture
def secret(backend: Backend) -> Iterator[str]:
    """A secret with one version."""
    secret = backend.create(SecretString="first")
    yield secret
    backend.delete(secret)
