"""Every command in every world: no token, claim or pause in a wrong place, and no request to a host nobody named."""

from itertools import product
from pathlib import Path

import pytest

from cli.scene import Cli
from cli.worlds import READERS, WORLDS, WRITERS, Place, assert_right
from examples import drawn

GROUP = "unmeasured"


@pytest.mark.parametrize(("line", "world", "beside"), drawn([*product([*WRITERS, *READERS], WORLDS, [False, True])], 5))
def test_every_command_in_every_world(
    cli: Cli, place: Place, hosts: set[str], tmp_path: Path, *, line: str, world: str, beside: bool
) -> None:
    """A fifth of the rows each time, with each command and each world; all at night.

    With `EXAMPLES=all`, a row that failed can be run alone.
    """
    assert_right(cli, place, hosts, tmp_path, line, world, beside=beside)
