"""States that no page lists, and interrupted commands: what is said is true, and what is printed repairs."""

import signal
from pathlib import Path

import pytest

from cli.interruptions import COMMANDS, interrupt
from cli.mishaps import DEPLOYED, RELEASES, STATES, upgrade, walk
from cli.operators_desk import Desk, in_this_process
from cli.put_back import OF_THE_PAGE, OVER_A_LIVING_GRANT, STARTS
from cli.scene import Cli
from examples import drawn_at
from testbed.provider.authorization_server import AuthorizationServer

GROUP = "unmeasured"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_no_page_lists(  # noqa: PLR0917 - fixtures
    cli: Cli,
    provider: AuthorizationServer,
    single_use: AuthorizationServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Both commands say what is wrong, and the printed commands lead to a healthy secret that services read."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)  # There is no network once.
    state = STATES[name]
    server = single_use if state.single_use else provider
    run = in_this_process(cli)
    with Desk(run, server, tmp_path, table=state.tables[0], single_use=state.single_use) as desk:
        walk(state, desk)


PLAYED = {**DEPLOYED, **OVER_A_LIVING_GRANT, **STARTS}


@pytest.mark.parametrize(
    ("name", "world"),
    [(name, world) for place, name in enumerate(PLAYED) for world in drawn_at(PLAYED[name].worlds, place)],
)
def test_a_state_of_a_deployed_secret(  # noqa: PLR0917 - fixtures
    cli: Cli, provider: AuthorizationServer, single_use: AuthorizationServer, tmp_path: Path, name: str, world: str
) -> None:
    """What is printed leads back, for a single secret and a member: to a consent only where no set is left alive.

    Each run plays each state in one of its worlds, each night in all.
    """
    state = PLAYED[name]
    server = single_use if state.single_use else provider
    with Desk(in_this_process(cli), server, tmp_path, world=world, single_use=state.single_use) as desk:
        ours = desk.document["refreshToken"]
        walk(state, desk)
        is_ours = ours == desk.document["refreshToken"]
        assert is_ours or name not in OVER_A_LIVING_GRANT or "refresh" in state.repairs, "the stranger's set stayed"


def test_the_states_of_the_page() -> None:
    """Each state of `docs/operations.md` is played, in a deployed secret or a member, or no command leads out of it."""
    page = (ROOT / "docs" / "operations.md").read_text().partition("## States, and the way back")[2].partition("###")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")]

    assert list(OF_THE_PAGE) == rows[2:]
    assert set() == {name for names in OF_THE_PAGE.values() for name in names} - set(PLAYED)


@pytest.mark.parametrize("name", [name for name in RELEASES if name.endswith("due")])
def test_an_upgrade(cli: Cli, tmp_path: Path, name: str) -> None:
    """What an older release left behind is called healthy, or interrupted, and no run or operator is made up."""
    upgrade(RELEASES[name], in_this_process(cli), tmp_path)


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupted_after_a_write(cli: Cli, single_use: AuthorizationServer, tmp_path: Path, name: str) -> None:
    """The next operator sees the truth, and what is printed leads back: services read, and the grant lives."""
    write = 1 if name in {"pause", "publish", "resume", "revoke"} else 2
    with Desk(in_this_process(cli), single_use, tmp_path, table=COMMANDS[name].tables[-1], single_use=True) as desk:
        assert interrupt(name, write, signal.SIGINT, desk)
