"""What no whole command comes upon at will."""

import base64
import json

import pytest

from token_refresh_worker.cli.authorize.redirect import RedirectServer
from token_refresh_worker.cli.refresh.invoke import _print_log


def test_lines_that_are_no_events_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a function's log tail only the worker's own events are printed, and no other JSON."""
    lines = ["START RequestId: 1", "[1]", json.dumps({"message": "canary"}), json.dumps({"event": "tokens_staged"})]

    _print_log(base64.b64encode("\n".join(lines).encode()).decode())

    assert "| info tokens_staged" == capsys.readouterr().err.strip()


def test_a_connection_that_breaks_ends_no_authorization() -> None:
    """The browser makes another connection where one broke; a defect of ours is not hidden."""
    server = object.__new__(RedirectServer)

    def handled(error: Exception) -> None:
        try:
            raise error
        except type(error):
            server.handle_error(None, None)

    handled(ConnectionResetError())
    with pytest.raises(ZeroDivisionError):
        handled(ZeroDivisionError())
