"""A redirect takes a place of its day, once, however many come at the same time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from run.world import World
from testbed.builders import NOW
from testbed.fakes import FakeStore
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.authorize import REDIRECTS_A_DAY, RedirectTaken, TooManyRedirects, take_redirect
from token_refresh_worker.core.versions import redirect_place_id

Versions = Mapping[str, str]
Caller = tuple[str, datetime]
"""The state that the redirect brings, and when it comes."""


class _Pending(Exception):  # noqa: N818 - no error: what a caller asks next
    def __init__(self, put: tuple[str, str]) -> None:
        super().__init__()
        self.put = put


class _Replay(FakeStore):
    """A store that repeats what it said before, and stops at the first put that it was not asked yet."""

    said: list[bool]

    def put(self, version_id: str, value: SecretValue, *, label: str) -> bool:
        del label
        if not self.said:
            raise _Pending((version_id, value.reveal()))
        return self.said.pop(0)


def ask(number: int, caller: Caller, said: Sequence[bool]) -> tuple[str, str] | str:
    """Return what a caller puts next, or how it has ended."""
    world = World()
    store = _Replay(world.store.model, world.clock)
    store.said = list(said)
    parts = replace(world.run().parts, store=store, nonce=lambda: f"nonce {number}")
    try:
        take_redirect(parts, *caller)
    except _Pending as pending:
        return pending.put
    except (RedirectTaken, TooManyRedirects) as refused:
        return type(refused).__name__
    return "taken"


def endings(callers: Sequence[Caller], stored: Versions) -> Iterator[tuple[tuple[str, ...], Versions]]:
    """Return how the callers end, and what is stored then, in every order of their calls."""
    nothing: tuple[bool, ...] = ()
    begun = (tuple(nothing for _ in callers), tuple(stored.items()))
    seen, left = {begun}, [begun]
    while left:
        said, items = left.pop()
        asked = [ask(number, caller, said[number]) for number, caller in enumerate(callers)]
        if all(isinstance(it, str) for it in asked):
            yield tuple(map(str, asked)), dict(items)
        for number, put in enumerate(asked):
            if isinstance(put, str):
                continue
            there = dict(items)
            reply = there.setdefault(*put) == put[1]
            after = (*said[:number], (*said[number], reply), *said[number + 1 :]), tuple(there.items())
            if after not in seen:
                seen.add(after)
                left.append(after)


def full(places: int) -> Versions:
    """Return what is stored when other redirects have so many places of today."""
    return {redirect_place_id(NOW.date(), place): "another's" for place in range(places)}


TOMORROW = NOW + timedelta(days=1)


@pytest.mark.no_cover  # tries every order, which coverage makes twice as slow
@pytest.mark.parametrize("places", [0, REDIRECTS_A_DAY - 1, REDIRECTS_A_DAY])
@pytest.mark.parametrize(
    "callers",
    [
        [("one", NOW), ("one", NOW), ("two", NOW)],
        [("one", NOW), ("two", NOW), ("three", NOW)],
        [("one", NOW), ("one", TOMORROW), ("two", TOMORROW)],
    ],
    ids=["a double click", "three at once", "a double click around midnight"],
)
def test_redirects_at_once(callers: list[Caller], places: int) -> None:
    """In every order of their calls one of each state wins if there is a place, and no day has more than its places."""
    ends = 0
    for how, stored in endings(callers, full(places)):
        ends += 1
        won = [caller for caller, end in zip(callers, how, strict=True) if end == "taken"]
        assert len({state for state, _ in won}) == len(won)
        for day in (NOW, TOMORROW):
            ids = {redirect_place_id(day.date(), place) for place in range(REDIRECTS_A_DAY)}
            came = {state for state, at in callers if at == day}
            assert len(ids & stored.keys()) <= len(came) + (places if day == NOW else 0)
            assert sum(at == day for _, at in won) <= REDIRECTS_A_DAY - (places if day == NOW else 0)
            # Whoever is told that the day is full came to a full day.
            refused = any(end == "TooManyRedirects" and at == day for end, (_, at) in zip(how, callers, strict=True))
            assert not refused or ids <= stored.keys()
        assert won or "RedirectTaken" in how or places == REDIRECTS_A_DAY
    assert ends
