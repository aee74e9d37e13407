"""The other end of the control path: faults, clock and call log of a Secrets Manager in another process."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from testbed.secrets_manager.endpoint import SecretsEndpoint
from testbed.secrets_manager.faults import Action


class SecretsManagerControl(SecretsEndpoint):
    """Control of the server at `url`."""

    def __init__(self, url: str, *, region: str = "eu-central-1") -> None:
        self.region = region
        self._url = url

    @property
    def url(self) -> str:
        """Return the endpoint, for `endpoint_url`."""
        return self._url

    def fault(
        self,
        action: Action,
        operation: str | None = None,
        *,
        nth: int = 1,
        times: int | None = 1,
        seconds: float = 0.0,
    ) -> int:
        """Set a fault for the nth call from now on, and return its number."""
        options = {"action": action, "operation": operation, "nth": nth, "times": times, "seconds": seconds}
        return int(self.command("fault", **options)["fault"])

    def wait(self, fault: int, *, timeout_seconds: float = 30.0) -> None:
        """Return once a fault has acted; for a hold, once the call stands still."""
        self.command("wait", fault=fault, timeout_seconds=timeout_seconds)

    def release(self, fault: int, *, apply: bool = True) -> None:
        """Let a held call go on and end; one held before it was applied can be dropped instead."""
        self.command("release", fault=fault, apply=apply)

    def clear(self) -> None:
        """Forget all faults; calls that are held before they were applied are dropped."""
        self.command("clear")

    def set_clock_offset(self, seconds: float) -> None:
        """Set how far the service's clock is ahead of this machine's."""
        self.command("clock", offset_seconds=seconds)

    def calls(self, *, since: int = 0) -> list[dict[str, Any]]:
        """Return what clients asked and what became of it, without values, from the `since`th call on."""
        return list(self.command("calls", since=since)["calls"])

    def command(self, command: str, **options: Any) -> dict[str, Any]:
        """Send any command, and return its answer.

        Raises:
            RuntimeError: It could not be carried out.
        """
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        try:
            connection.request("POST", "/_control", json.dumps({"command": command, **options}))
            response = connection.getresponse()
            answer: dict[str, Any] = json.load(response)
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise RuntimeError(answer["error"])
        return answer


@contextmanager
def secrets_manager_process(*, region: str = "eu-central-1") -> Iterator[SecretsManagerControl]:
    """Run a server as a process of its own, and end it with the block."""
    command = [sys.executable, "-m", "testbed.secrets_manager.server", "--region", region]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as process:  # noqa: S603 - the command is ours
        try:
            if process.stdout is None or not (line := process.stdout.readline()):
                raise RuntimeError("the server did not start; its standard error says why")
            yield SecretsManagerControl(json.loads(line)["url"], region=region)
        finally:
            process.terminate()
