"""A command that is interrupted after a write, and another operator's commands after it.

`scripts/prove states` does this with real processes, after each write, with SIGKILL and in both claim stores.
"""

import signal
from pathlib import Path

import pytest

from cli.desk import Desk, in_this_process
from cli.interruptions import COMMANDS, interrupt
from cli.scene import Cli
from testbed.provider.authorization_server import AuthorizationServer


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupted_after_a_write(cli: Cli, single_use: AuthorizationServer, tmp_path: Path, name: str) -> None:
    """The next operator sees the truth, and what is printed leads back: services read, and the grant lives."""
    write = 1 if name in {"pause", "publish", "resume", "revoke"} else 2
    with Desk(in_this_process(cli), single_use, tmp_path, table=COMMANDS[name].tables[-1], single_use=True) as desk:
        assert interrupt(name, write, signal.SIGINT, desk)
