"""Every value that `status` and `history` print, in every stored state, is the one that somebody has read there."""

import json

import pytest

from cli.scene import Cli, Tokens
from cli.screens import plain, recorded
from cli.states import STATES, Stage
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.mark.parametrize("name", STATES)
def test_values(  # noqa: PLR0917 - fixtures
    cli: Cli,
    tokens: Tokens,
    store: SecretsManagerServer,
    endpoint: TokenEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """For people and for machines, each value is in its place: which version, until when, how often, and who."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)
    variables = {
        "COLUMNS": "200",
        **(STATES[name](Stage(cli=cli, tokens=tokens, store=store, endpoint=endpoint)) or {}),
    }
    store.clock_offset_seconds += 20  # "in 6 h 59 min", from the first second on
    addresses = {endpoint.url: "ENDPOINT", endpoint.url.partition("//")[2].partition("/")[0]: "HOST"}

    screens = {
        "status": cli("status", **variables).out,
        "status --json": _values(cli("status", "--json", **variables).json),
        "history --all": cli("history", "--all", **variables).out,
    }

    found = {f"{name}: {line}": plain(screen, store, addresses).splitlines() for line, screen in screens.items()}
    for before, screen in [(recorded(line, screen), screen) for line, screen in found.items()]:
        assert before == screen


def _values(fields: dict[str, object]) -> str:
    """A line for each member but sentences, which are on the screen; of a list, for each of its members."""
    lines = []
    for key, value in fields.items():
        for member in value if isinstance(value, list) else [value]:
            lines += [json.dumps({key: member})] if key not in {"findings", "error"} else []
    return "\n".join(lines)
