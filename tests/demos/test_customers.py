"""`scripts/demo customers`, and docs/customers.md, whose every command runs there as printed."""

import json
import os
import re
import signal
import subprocess
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import boto3
import httpx
import pytest

from playing import DEMO, NO_AWS
from printed.blocks import ROOT, blocks, commands
from testbed.policy import as_list
from testbed.ports import free_port
from token_refresh_worker.fleet.aws.index import TableIndex

PAGE = ROOT / "docs" / "customers.md"
PATIENCE_SECONDS = 90
pytestmark = pytest.mark.no_cover


class Shell:
    """A shell with what the demo prints; where that leads to `token-refresh`, a quick one takes its place."""

    def __init__(self, pasted: str, programs: Path, port: int) -> None:
        self._pasted, self._port = f"{pasted}\ncommand -v token-refresh >/dev/null && PATH={programs}:$PATH", port
        self.redirected: set[str] = set()
        """The authorization codes and states of redirects: no output may have them."""

    def script(self, line: str) -> list[str]:
        port = line.replace("8000", str(self._port))
        return ["/bin/bash", "-c", f"{self._pasted}\n{port}"]

    def run(self, line: str) -> tuple[int, str]:
        ended = subprocess.run(  # noqa: S603 - what the page prints
            self.script(line), env=os.environ | NO_AWS, capture_output=True, text=True, check=False, timeout=120
        )
        return ended.returncode, ended.stdout + ended.stderr

    def remember(self, line: str) -> None:
        """Keep what a line exports for the next ones."""
        self._pasted += f"\n{line.replace('8000', str(self._port))}"

    def wait_for(self, expected: dict[str, int]) -> None:
        """Wait until the fleet's secrets are in these states and every copy is current, as the fleet's rows say."""
        (url,) = re.findall(r"^export AWS_ENDPOINT_URL_DYNAMODB=(\S+)$", self._pasted, re.MULTILINE)
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}
        index = TableIndex(boto3.client("dynamodb", endpoint_url=url, **keys), "prod", "prod")  # type: ignore[call-overload]  # keys by name
        wanted = {(state, "current"): count for state, count in expected.items()}
        found: Mapping[object, int] = {}
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends and found != wanted:
            time.sleep(0.5)
            found = Counter((row.seen.state, row.seen.copy) if row.seen else None for row in index.rows())
        assert wanted == found


@pytest.fixture(scope="module")
def shell(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    errors = tmp_path_factory.mktemp("demo") / "stderr"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(  # noqa: S603 - our own script
            [DEMO, "customers"], stdout=subprocess.PIPE, stderr=stderr, text=True, env=os.environ | NO_AWS
        ) as served,
    ):
        assert served.stdout is not None
        pasted = "".join(iter(served.stdout.readline, "\n"))
        shell = Shell(pasted, programs, free_port())
        yield shell
        served.send_signal(signal.SIGINT)
        output, _ = served.communicate()
    assert 130 == served.returncode
    assert not any(text in output + errors.read_text() for text in shell.redirected)


def until(is_last: Callable[[str], bool], lines: Iterable[str]) -> Iterator[str]:
    """Read lines up to the last one, or to the end."""
    for line in lines:
        yield line
        if is_last(line):
            return


def connect(shell: Shell, line: str) -> str:
    """Start the application, press its button, authorize at the provider, and return the page at the end.

    The application prints neither the code nor the state of the redirect.
    """
    with subprocess.Popen(  # noqa: S603 - what the page prints
        shell.script(f"exec {line}"),
        env=os.environ | NO_AWS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as application:
        assert application.stdout is not None
        said = [*until(lambda line: "running on" in line, application.stdout)]
        assert "running on" in said[-1], said
        (home,) = re.findall(r"http://127\.0\.0\.1:\d+", said[-1])
        with httpx.Client(trust_env=False, timeout=60, follow_redirects=False) as browser:
            page = browser.post(f"{home}/connect").headers["Location"]
            consent = {"allow": "Authorize"} | dict(httpx.URL(page).params)
            back = browser.post(page.partition("?")[0], data=consent).headers["Location"]
            shown = browser.get(back).text
        application.send_signal(signal.SIGTERM)
        output, _ = application.communicate()
    sent = httpx.URL(back).params
    shell.redirected |= {sent["code"], sent["state"]}
    assert not any(text in output for text in shell.redirected)
    return shown


def test_the_page(shell: Shell) -> None:
    """40 customers join, 39 are fresh, a service reads one customer's copy alone, and the 40th repairs its grant."""
    add, status, exported, read, settings, callback, serve, again, remove = commands(PAGE)
    assert "published/" == tomllib.loads(blocks(PAGE, "toml")[0])["published_under"]

    assert (0, "40 of 40 secrets are in fleet prod\n") == shell.run(add)
    shell.wait_for({"reauthorize": 1, "healthy": 39})
    code, printed = shell.run(status)
    assert 1 == code
    assert "1 reauthorize  39 healthy" in printed
    assert "40 current" in printed
    assert "customers/7/quickbooks" in printed

    shell.remember(exported)
    code, printed = shell.run(read)
    assert (0, True) == (code, printed.startswith("Token(version_id="))
    for other in ("published/customers/11/quickbooks", "customers/12/xero"):
        code, printed = shell.run(read.replace("published/customers/12/xero", other))
        assert (1, True) == (code, "SecretAccessDenied" in printed)

    shell.remember(f"{settings}\n{callback}")
    assert "Your company 107 is connected." in connect(shell, serve)
    shell.wait_for({"healthy": 40})
    code, printed = shell.run(again)
    assert (0, True, True) == (code, "40 healthy" in printed, "40 current" in printed)

    assert (0, "1 of 1 secrets have left fleet prod\n") == shell.run(remove)
    marked = shell.run("aws secretsmanager describe-secret --secret-id published/customers/12/xero")
    assert "DeletedDate" in marked[1] or "not found" in marked[1]


def test_the_page_s_policy() -> None:
    """What the demo enforces for its service is the policy of the page about copies, for another customer."""
    from demos.customers import RIGHTS  # noqa: PLC0415 - imports what a demo starts

    (shown,) = [json.loads(block) for block in blocks(ROOT / "docs" / "fleet.md", "json")]
    (ours,) = RIGHTS
    assert shown["Resource"].replace("customers/11/", "customers/12/") == ours["Resource"]
    assert as_list(shown["Action"]) == ours["Action"]
