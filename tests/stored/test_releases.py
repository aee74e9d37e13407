"""What a release stored, every later one reads: a release's stored values are test data, made by its own code."""

import functools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from stored import release
from stored.forms import READERS, samples
from stored.worlds import World, load, open_testbed
from testbed.testbed import Testbed

GROUP = "unmeasured"
SCRIPTS = Path(__file__).parent.parent.parent / "scripts"
FILES = {path.stem: json.loads(path.read_text()) for path in sorted(release.RELEASES.glob("*.json"))}
MEANT = {(kind, name): value for kind, name, value, _ in samples()}
STORED = [(name, *key) for name, file in FILES.items() for key in MEANT if key[1] in file["forms"].get(key[0], {})]
DISTINCT = {
    json.dumps(world): " ".join((name, *(world[key] for key in ("store", "provider", "state"))))
    for name, file in FILES.items()
    for world in file["worlds"]
}
WORLDS: dict[str, World] = {name: json.loads(world) for world, name in DISTINCT.items()}


NO_JSON = {"derived", "kept tokens", "row", "tombstone", "fleet pauses"}
"""Forms that are no text of JSON; further attributes of an item are ignored by name."""


def differences(found: Any, meant: Any, at: str = "") -> Iterator[str]:
    """Yield the members in which two values differ, as `Class.member`."""
    if is_dataclass(meant) and type(found) is type(meant):
        # `fields` of a document is all of it; what we understand of it is in the other members.
        for name in [it.name for it in fields(meant) if it.name not in {"fields", "spelling"}]:
            yield from differences(getattr(found, name), getattr(meant, name), f"{type(meant).__name__}.{name}")
    elif isinstance(meant, tuple) and isinstance(found, tuple) and found:
        for one, other in zip(found, meant[: len(found)], strict=True):  # an older release may know fewer fates
            yield from differences(one, other, at)
    elif found != meant:
        yield at


def test_todays_forms_are_test_data_of_their_release() -> None:
    """Whoever changes what is stored sees it here: `scripts/stored-formats --write` makes it this version's data."""
    assert release.problem() is None


def test_the_data_begins_with_the_first_release() -> None:
    """The stored values of all releases are there, and the first of all, by its commit."""
    assert {"a8c466c2", release.TODAY.stem} <= FILES.keys()


@pytest.mark.parametrize(("of", "kind", "name"), STORED, ids=str)
def test_each_form_of_each_release_is_read(of: str, kind: str, name: str) -> None:
    """It means what it meant; members that its release lacked have their default."""
    file = FILES[of]

    found = READERS[kind](file["forms"][kind][name])

    assert set() == set(differences(found, MEANT[kind, name])) - set(file["lacks"])
    assert (MEANT[kind, name] is None) == (found is None)


@pytest.mark.parametrize("kind", ["row", "tombstone", "fleet pauses"])
def test_attributes_of_a_later_release_are_ignored(kind: str) -> None:
    """An item may have more attributes than today's."""
    for (found, name), meant in MEANT.items():
        stored = FILES[release.TODAY.stem]["forms"][found][name]
        if found == kind:
            assert set() == set(differences(READERS[kind](stored | {"unheard": {"S": "of"}}), meant))


def with_more(value: Any) -> Any:
    """Add a member that nobody knows to each object, and an entry to each of a claim's."""
    if isinstance(value, dict):
        return {**{name: with_more(found) for name, found in value.items()}, "unheard": {"of": [1]}}
    if isinstance(value, list):
        return [[*it, "unheard of"] if isinstance(it, list) and len(it) > 4 else with_more(it) for it in value]
    return value


@pytest.mark.parametrize(("of", "kind", "name"), [it for it in STORED if it[1] not in NO_JSON], ids=str)
def test_members_of_a_later_release_are_ignored(of: str, kind: str, name: str) -> None:
    """Each object may have more members than today's, and each entry of a ledger, too."""
    stored = FILES[of]["forms"][kind][name]

    later = json.dumps(with_more(json.loads(stored)))

    assert later != stored
    assert set() == set(differences(READERS[kind](later), READERS[kind](stored)))


THEN = {
    "refreshed": (["fresh", "fresh"], "refreshed"),
    "due": (["refreshed", "fresh"], "refreshed"),
    "busy": (["refreshed", "fresh"], "refreshed"),
    "died with its tokens": (["recovered", "fresh"], "refreshed"),
    "rejected": (["ReauthorizationRequired"] * 2, "refreshed"),
    "lost response": (["RefreshOutcomeUnknown"] * 2, "ReauthorizationRequired"),
    "died with its claim": (["yielded", "RefreshOutcomeUnknown"], "refreshed"),
    "grace lost response": (["fresh", "fresh"], "refreshed"),
    "grace died with its claim": (["yielded", "refreshed"], "refreshed"),
}
"""How runs of today end on what a release left behind: two, a claim's life apart, and one in the last quarter.

A lost response whose token was redeemed ends a single-use grant at the retry in the last quarter, by the rules.
"""


@pytest.fixture(scope="module")
def testbeds() -> Iterator[Callable[[World], Testbed]]:
    """Give a world a testbed of its kind, which begins anew."""
    with ExitStack() as opened:

        @functools.cache
        def of_kind(provider: str, store: str) -> Testbed:
            return opened.enter_context(open_testbed({"provider": provider, "store": store}))

        def begun(world: World) -> Testbed:
            testbed = of_kind(world["provider"], world["store"])
            testbed.begin_anew()
            return testbed

        yield begun


@pytest.mark.parametrize("name", WORLDS)
def test_todays_runs_go_on_where_a_release_ended(testbeds: Callable[[World], Testbed], name: str) -> None:
    """On what its real runs left behind, in both claim stores: no false alarm, no request too many, no lost grant."""
    world = WORLDS[name]
    testbed = testbeds(world)
    load(world, testbed)

    first = testbed.run_here().name
    testbed.pass_claim()
    at_once = [first, testbed.run_here().name]
    testbed.pass_hold()
    later = testbed.run_here().name

    assert THEN.get(f"{world['provider']} {world['state']}", THEN[world["state"]]) == (at_once, later)
    assert testbed.up_to_date
    assert testbed.alive == (later == "refreshed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose version is 0.3.0, with what 0.2.0 stored; its code stores what its file has."""
    for name in ("install", "stored-formats", "usage.sh"):
        (tmp_path / "scripts").mkdir(exist_ok=True)
        shutil.copy(SCRIPTS / name, tmp_path / "scripts")
    for path, text in (
        ("scripts/install", "#!/bin/sh\n"),
        (".venv/bin/python", "#!/bin/sh\n"),
        ("reader/token_refresh/__init__.py", '__version__ = "0.3.0"\n'),
        ("tests/stored/releases/0.2.0.json", "{}\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o755)
    for command in ("init -q", "add -Af", "-c user.name=a -c user.email=a@b.invalid commit -qm one", "tag v0.2.0"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)  # noqa: S603, S607 - as everywhere
    return tmp_path


def asked(checkout: Path, argument: str) -> tuple[int, str]:
    ended = subprocess.run(  # noqa: S603 - our own script
        [checkout / "scripts" / "stored-formats", argument], capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stderr


def test_a_release_is_refused_without_its_forms(checkout: Path) -> None:
    """Its own file has to be what its code stores, and no file of an earlier tag may have changed or be gone."""
    kept = checkout / "tests" / "stored" / "releases" / "0.2.0.json"
    assert (0, "") == asked(checkout, "v0.3.0")

    kept.write_text("{ }\n")
    changed = asked(checkout, "v0.3.0")
    kept.unlink()
    gone = asked(checkout, "v0.3.0")
    (checkout / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    missing = asked(checkout, "v0.3.0")

    restore = "Restore it: git checkout v0.2.0 -- tests/stored/releases/0.2.0.json"
    assert changed[0] == gone[0] == missing[0] == 65
    assert restore in changed[1]
    assert restore in gone[1]
    assert "run scripts/stored-formats --write, and commit tests/stored/releases/0.3.0.json" in missing[1]


def test_the_forms_of_a_release_are_not_written_again(checkout: Path) -> None:
    """Once its tag exists, another version has to be named first."""
    (checkout / "reader" / "token_refresh" / "__init__.py").write_text('__version__ = "0.2.0"\n')

    assert (
        65,
        "scripts/stored-formats: v0.2.0 is released: raise __version__ in reader/token_refresh/__init__.py first\n",
    ) == (asked(checkout, "--write"))


def test_the_release_workflow_asks() -> None:
    """Before a release is built, its forms are compared, with all earlier tags at hand."""
    workflow = (SCRIPTS.parent / ".github" / "workflows" / "release.yml").read_text()
    steps = yaml.safe_load(workflow)["jobs"]["test"]["steps"]

    assert 'scripts/stored-formats "$TAG"' in [step.get("run") for step in steps]
    assert 0 == steps[0]["with"]["fetch-depth"]
