"""Every value that a command prints that changes something, with what it asked and warned of, is the expected one."""

import json
from pathlib import Path
from typing import Final

import pytest

from cli.authorizing import Paste, redirect_of, written
from cli.scene import Cli, Tokens
from cli.screens import plain, recorded
from cli.states import PUBLISHED, SINGLE_USE, Stage, State, held, used
from testbed.builders import DAY, HOUR
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

GROUP = "unmeasured"


def published(stage: Stage) -> dict[str, str]:
    """A token set that is due, and the copy of an older one."""
    stage.tokens.store(expires_in=DAY)
    stage.store.client().create_secret(Name="published")
    stage.refresh("--force", **PUBLISHED)
    stage.tokens.store(expires_in=7 * HOUR)
    stage.store.clock_offset_seconds += 1200
    return PUBLISHED


def saved_over(stage: Stage) -> dict[str, str]:
    """Two token sets, and garbage over both."""
    published(stage)
    stage.tokens.store(expires_in=9 * HOUR)
    stage.store.clock_offset_seconds += 2
    stage.tokens.put("garbage")
    return PUBLISHED


def paused(stage: Stage) -> dict[str, str]:
    """A pause, which somebody else has made."""
    published(stage)
    stage.cli("pause", "--for=6h", "--why=theirs", **PUBLISHED)
    return PUBLISHED


def unread(stage: Stage) -> dict[str, str]:
    """A response that no profile names, at a single-use provider."""
    published(stage)
    envelope = {"accessToken": "one-access-token", "refreshToken": "one-refresh-token", "ttl": 7200}
    stage.endpoint.play(script.status(200, json.dumps({"data": [envelope]}).encode()))
    stage.refresh("--force", "--yes", **PUBLISHED, **SINGLE_USE)
    return PUBLISHED | SINGLE_USE


def rejects_the_client(stage: Stage) -> dict[str, str]:
    """A token endpoint that knows no such client."""
    variables = published(stage)
    stage.endpoint.play(script.error("invalid_client", http_status=401))
    return variables


RECOVER: Final = (
    "recover --access-token /data/0/accessToken --refresh-token /data/0/refreshToken --expires-in /data/0/ttl"
)
CASES: Final[dict[str, tuple[State, str]]] = {
    "refresh": (published, ""),
    "refresh --json": (published, ""),
    "refresh --force --dry-run --json": (published, ""),
    "refresh --force": (rejects_the_client, ""),
    "pause --for 2h": (published, ""),
    "pause --for 8h --why theirs": (published, ""),
    "resume": (paused, ""),
    "restore": (saved_over, "y\n"),
    "restore --yes --json": (saved_over, ""),
    "client --client-file CLIENT": (published, "y\n"),
    "revoke --by-hand": (published, "y\n"),
    "recover": (unread, ""),
    "recover --json": (unread, ""),
    RECOVER: (unread, "y\n"),
    f"{RECOVER} --json --yes": (unread, ""),
    "history --all --json": (used, ""),
    "history --json": (held, ""),
}


@pytest.fixture
def stage(cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint) -> Stage:
    return Stage(cli=cli, tokens=tokens, store=store, endpoint=endpoint)


def lines_of(stage: Stage, screen: str, folder: Path) -> list[str]:
    addresses = {
        stage.endpoint.url: "ENDPOINT",
        stage.endpoint.url.partition("//")[2].partition("/")[0]: "HOST",
        str(folder): "FOLDER",
        stage.endpoint.client_id: "CLIENT",
    }
    return plain(screen, stage.store, addresses).splitlines()


@pytest.mark.parametrize("line", CASES)
def test_values(stage: Stage, tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked, done and advised names the secret, its version and its copy, and until when, each in its place."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)
    client = written(tmp_path, {"clientId": stage.endpoint.client_id, "clientSecret": "another-made-up-secret"})
    world, typed = CASES[line]
    variables = {"COLUMNS": "200"} | (world(stage) or {})
    stage.store.clock_offset_seconds += 20

    ended = stage.cli(*line.replace("CLIENT", str(client)).split(), stdin=typed, **variables)

    found = lines_of(stage, f"exit status {ended.code}\n{ended.out}\n{ended.err}", tmp_path)
    assert recorded(f"change: {line}", found) == found


def test_values_of_authorize(stage: Stage, paste: Paste, tmp_path: Path) -> None:
    """A new grant says whose it is, where it is stored, until when it lives, and what became of the copy."""
    variables = {"COLUMNS": "200"} | published(stage)

    ended = paste("--redirect-uri=http://127.0.0.1/callback", stdin=f"y\n{redirect_of()}", **variables)

    found = lines_of(stage, f"exit status {ended.code}\n{ended.out}\n{ended.err}", tmp_path)
    assert recorded("change: authorize", found) == found
