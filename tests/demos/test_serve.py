"""`scripts/demo --serve`: what it prints works when it is pasted into a shell, whatever is set there."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from demos.serve import PYTHON, TYPESCRIPT
from playing import DEMO, NO_AWS

HERE = {
    **NO_AWS,
    "AWS_DEFAULT_PROFILE": "no-such-profile",
    "AWS_CA_BUNDLE": "/nonexistent",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_LAMBDA_FUNCTION_NAME": "not-here",
    "AWS_SESSION_TOKEN": "made-up",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "https_proxy": "http://127.0.0.1:9",
}
"""What the shell of a developer may have set."""
_CURL = re.compile(r"curl -d '(.*)' (\S+)")
Shell = Callable[[str], str]


@pytest.fixture(scope="module")
def printed() -> Iterator[list[str]]:
    """The parts of what it prints: exports, Python, TypeScript, hints; each ends with an empty line."""
    with subprocess.Popen([DEMO, "--serve"], stdout=subprocess.PIPE, text=True) as served:  # noqa: S603 - our own script
        assert served.stdout is not None
        parts: list[str] = []
        while len(parts) < 4:
            parts.append("".join(iter(served.stdout.readline, "\n")))
        yield parts
        served.send_signal(signal.SIGINT)
    assert 130 == served.returncode


@pytest.fixture
def shell(printed: list[str], programs: Path, tmp_path: Path) -> Shell:
    """Runs a command where the exports were pasted, and returns what it prints.

    Where they lead to `token-refresh`, a quick one takes its place.
    """
    quickly = f"command -v token-refresh >/dev/null && PATH={programs}:$PATH"

    def run(command: str) -> str:
        done = subprocess.run(  # noqa: S603 - what the demo printed
            ["/bin/sh", "-c", f"{printed[0]}\n{quickly}\n{command}"],
            cwd=tmp_path,
            env=os.environ | HERE,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize(("part", "lines"), [(1, PYTHON), (2, TYPESCRIPT)], ids=["python", "typescript"])
def test_a_service_reads(printed: list[str], shell: Shell, part: int, lines: tuple[str, str, str]) -> None:
    """A service's first three lines read the published token when pasted, and show it masked."""
    assert "\n".join(lines) in printed[part]

    said = shell(printed[part])

    assert re.match(r"Token(\(version_id=| \{\n  expiresAt: )", said), said
    assert "value" not in said


def test_names_of_the_template(printed: list[str], shell: Shell) -> None:
    """Function, secrets and table are called as the default deployment calls them."""
    names = dict(re.findall(r"^export (\w+)=(.*)$", printed[0], re.MULTILINE))
    wanted = {
        "FUNCTION_NAME": "token-refresh-prod",
        "CLAIM_TABLE_NAME": "token-refresh-prod-claims",
        "TOKEN_SECRET_ID": "upwork-oauth-tokens",
    }

    assert wanted.items() <= names.items()
    assert "CLIENT_SECRET_ID" not in names
    assert "published copy   upwork-oauth-tokens-published: the current version" in shell("token-refresh status")
    assert "function other in eu-central-1 does not exist" in shell("token-refresh refresh --invoke --function other")


def test_commands(printed: list[str], shell: Shell) -> None:
    """The commands that it suggests work: time passes, a run refreshes and publishes, and the grant can end."""
    hints = printed[3]
    invoke = next(line.removeprefix("#").strip() for line in hints.splitlines() if "--invoke" in line)
    verify = 'token-refresh verify --url "$API_URL"'
    (later, revoked) = [httpx.Request("POST", url, content=body) for body, url in _CURL.findall(hints)]

    assert "fresh" in shell("token-refresh refresh")
    with httpx.Client(trust_env=False, timeout=60) as client:
        client.send(later).raise_for_status()
        assert "refreshed" in shell(invoke)
        assert "works" in shell(verify)
        client.send(revoked).raise_for_status()
        assert "rejects the access token" in shell(verify)
    assert "AccessDenied" in shell("token-refresh doctor")
