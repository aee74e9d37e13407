"""Rule 3: the published copy shows another version."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from testbed.builders import DAY, HOUR, NOW, RUN, policy, snapshot, token_set
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.snapshot import PublishedCopy, RunState
from token_refresh_worker.core.steps import Fresh, Publish
from token_refresh_worker.core.versions import published_version_id
from token_refresh_worker.stored.published import PublishedContent

FRESH = token_set(expires_at=NOW + DAY)
PUBLISHING = RunState(nonce="nonce", publishes=True)
SECOND = timedelta(seconds=1)


def published(source: str = "old", age: timedelta = HOUR, version_id: str | None = None) -> PublishedCopy:
    content = PublishedContent(source_version_id=source)
    version_id = version_id or published_version_id(source)
    return PublishedCopy(version_id=version_id, stored_at=NOW - age, content=content)


@pytest.mark.parametrize("source", [None, "old", "v0"])
def test_what_somebody_else_stored_is_replaced_at_once(source: str | None) -> None:
    """Content that no run stored can't be newer, whatever source it names: the version ID proves it."""
    copy = replace(published(age=SECOND, version_id="by hand"), content=PublishedContent(source_version_id=source))

    assert Publish() == plan(snapshot(current=FRESH, published=copy), PUBLISHING, policy())


def test_a_copy_of_another_version_is_replaced() -> None:
    """A missing copy is made, and one that is old enough is replaced."""
    for copy in (None, published(), published(age=SETTLED + SECOND)):
        assert Publish() == plan(snapshot(current=FRESH, published=copy), PUBLISHING, policy())


def test_a_young_copy_is_replaced_by_the_run_that_promoted_alone() -> None:
    """The read of the current version may be older than the copy, unless this run made it current itself."""
    young = snapshot(current=FRESH, published=published(age=SETTLED))
    promoted = RunState(nonce="nonce", publishes=True, promoted_version="v0")

    assert Fresh() == plan(young, PUBLISHING, policy())
    assert Publish() == plan(young, promoted, policy())


@pytest.mark.parametrize("lacking", [{"accessToken": None}, {"expires_at": None}])
def test_an_incomplete_set_is_not_published(lacking: dict[str, Any]) -> None:
    """Consumers need an access token and its expiry."""
    assert not isinstance(plan(snapshot(current=token_set(**lacking)), PUBLISHING, policy()), Publish)


def test_a_copy_of_the_current_version_is_left() -> None:
    """Nothing is written where nothing changed, nor by a run that does not publish."""
    same = published("v0")

    assert Fresh() == plan(snapshot(current=FRESH, published=same), PUBLISHING, policy())
    assert Fresh() == plan(snapshot(current=FRESH, published=published()), RUN, policy())
