"""States that no page lists: what `status` and `doctor` say is true, what they print repairs, and a service reads."""

from pathlib import Path

import pytest

from cli.desk import Desk, in_this_process
from cli.mishaps import RELEASES, STATES, upgrade, walk
from cli.scene import Cli
from testbed.provider.authorization_server import AuthorizationServer


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


@pytest.mark.parametrize("name", [name for name in RELEASES if name.endswith("due")])
def test_an_upgrade(cli: Cli, tmp_path: Path, name: str) -> None:
    """What an older release left behind is called healthy, or interrupted, and no run or operator is made up."""
    upgrade(RELEASES[name], in_this_process(cli), tmp_path)
