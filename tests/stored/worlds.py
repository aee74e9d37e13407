"""What the worker of a release leaves behind, in both claim stores: made by its real runs, and run on by today's.

`make` carries a testbed into a state and takes down everything that is stored; `load` puts it into a new testbed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Protocol

from testbed.provider import script
from testbed.secrets_manager.state import StoredSecret, StoredVersion
from testbed.testbed import CLAIM_TABLE, GRACE, PUBLISHED, SINGLE_USE, TOKENS, Testbed

World = dict[str, Any]

GUARD_SECONDS: Final = 60.0


class Begun(Protocol):
    """A run in a process of its own."""

    def wait(self) -> Any:
        """Wait for its end."""

    def kill(self) -> None:
        """End it in the middle."""


Begin = Callable[[Testbed], Begun]


def _refreshed(testbed: Testbed, begin: Begin) -> None:
    begin(testbed).wait()


def _due(testbed: Testbed, begin: Begin) -> None:
    begin(testbed).wait()
    testbed.pass_until_due()


def _lost_response(testbed: Testbed, begin: Begin) -> None:
    _due(testbed, begin)
    testbed.endpoint.play(script.close(commit=True))
    begin(testbed).wait()
    testbed.endpoint.unplay()


def _rejected(testbed: Testbed, begin: Begin) -> None:
    _due(testbed, begin)
    testbed.endpoint.play(script.error("invalid_grant"))
    begin(testbed).wait()


def _busy(testbed: Testbed, begin: Begin) -> None:
    _due(testbed, begin)
    testbed.endpoint.play(*(script.status(429) for _ in range(4)))
    begin(testbed).wait()
    testbed.endpoint.unplay()


def _died_with_claim(testbed: Testbed, begin: Begin) -> None:
    _due(testbed, begin)
    testbed.endpoint.play(script.hold("before_commit"))
    run = begin(testbed)
    testbed.endpoint.wait_until_held(GUARD_SECONDS)
    run.kill()
    testbed.endpoint.unplay()


def _died_with_tokens(testbed: Testbed, begin: Begin) -> None:
    _due(testbed, begin)
    fault = testbed.store.fault("hold_before", "UpdateSecretVersionStage")
    run = begin(testbed)
    fault.wait(GUARD_SECONDS)
    run.kill()
    testbed.clear_faults()


STATES: Final = {
    "refreshed": _refreshed,
    "due": _due,
    "lost response": _lost_response,
    "rejected": _rejected,
    "busy": _busy,
    "died with its claim": _died_with_claim,
    "died with its tokens": _died_with_tokens,
}


KINDS: Final = {kind.name: kind for kind in (SINGLE_USE, GRACE)}
MADE: Final = (
    *((SINGLE_USE.name, state) for state in STATES),
    *((GRACE.name, state) for state in ("refreshed", "lost response", "died with its claim")),
)
"""Of which kinds of providers there are which states: the others differ in their grace alone."""


def open_testbed(world: World) -> Testbed:
    """A testbed of the kind that a world was made in."""
    return Testbed(KINDS[world["provider"]], table=world["store"] == "table", published=True)


def make(state: str, world: World, begin: Begin) -> World:
    """Carry a testbed into a state with the runs of one release, and take down what is stored."""
    with open_testbed(world) as testbed:
        STATES[state](testbed, begin)
        item = next(iter(testbed.table.tables[CLAIM_TABLE].values()), None) if testbed.table else None
        return world | {
            "state": state,
            "now": round(testbed.store.now(), 3),
            "secrets": {name: _secret(testbed, name) for name in (TOKENS, PUBLISHED)},
            "item": item and {name: value for name, value in item.items() if name != "secret_arn"},
            "grant": [testbed.endpoint.grant._current, sorted(testbed.endpoint.grant._used)],  # noqa: SLF001 - ours
        }


def load(world: World, testbed: Testbed) -> None:
    """Store what a world has, as old as it was, and let the provider know its tokens."""
    offset = world["now"] - testbed.store.now()
    for service in (testbed.store, testbed.table):
        if service:
            service.clock_offset_seconds += offset
    loaded = {name: _loaded(testbed, name, stored) for name, stored in world["secrets"].items()}
    testbed.store.secrets.restore(tuple(loaded.get(it.name, it) for it in testbed.store.secrets.snapshot()))
    testbed.store.forget_past()
    if testbed.table and world["item"]:
        arn = testbed.secret.arn
        testbed.table.tables[CLAIM_TABLE][arn] = {"secret_arn": {"S": arn}, **world["item"]}
    testbed.endpoint.grant._current = world["grant"][0]  # noqa: SLF001 - ours
    testbed.endpoint.grant._used = set(world["grant"][1])  # noqa: SLF001 - ours


def _secret(testbed: Testbed, name: str) -> dict[str, Any]:
    found = testbed.store.secrets.find(name)
    assert found is not None
    return {
        "versions": [[it.version_id, it.created_at, it.value] for it in found.versions],
        "labels": dict(found.labels),
    }


def _loaded(testbed: Testbed, name: str, stored: dict[str, Any]) -> StoredSecret:
    found = testbed.store.secrets.find(name)
    assert found is not None
    versions = tuple(
        StoredVersion(version_id=version_id, created_at=created_at, value=value, kind="SecretString")
        for version_id, created_at, value in stored["versions"]
    )
    return replace(found, versions=versions, labels=tuple(stored["labels"].items()))
