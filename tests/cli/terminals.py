"""Commands that are forked off a process that has imported everything (`cli.forked`), also in a terminal each."""

import contextlib
import json
import os
import re
import signal
import socket
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pexpect import EOF
from pexpect.fdpexpect import fdspawn

CTRL_C = "\x03"


def begin(
    address: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[int]
) -> tuple[socket.socket, int]:
    """Begin a command with these standard streams; give what receives its exit status, and its process ID."""
    forks = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    forks.connect(address)
    socket.send_fds(forks, [json.dumps([arguments, str(folder), dict(environment)]).encode()], files)
    return forks, int(forks.recv(99))


class Screen(fdspawn):  # type: ignore[misc]  # pexpect has no types
    """A command, its terminal of 160 columns, and what a person sees and types there."""

    def __init__(self, address: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        master, terminal = os.openpty()
        termios.tcsetwinsize(terminal, (40, 160))
        self._forks, self.process_id = begin(address, arguments, folder, environment, [terminal] * 3)
        os.close(terminal)
        self.status: int | None = None
        """The exit status; of a command that a signal ended, the negative signal."""
        super().__init__(master, encoding="utf-8", timeout=120)

    def wait(self) -> int:
        """Wait until the command has ended; give its exit status."""
        if self.status is None:
            self.status = int(self._forks.recv(99))
            self._forks.close()
        return self.status

    def ends(self) -> int:
        """Read until the command has ended, which leaves what was read in `before`; give its exit status."""
        self.expect(EOF)
        return self.wait()

    def kill(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.process_id, number)

    def type_hidden(self, text: str) -> None:
        """Type a line as soon as the terminal doesn't show it: what was typed before is dropped."""
        until = time.monotonic() + self.timeout  # A command that has ended hides nothing any more.
        while termios.tcgetattr(self.child_fd)[3] & termios.ECHO and time.monotonic() < until:
            time.sleep(0.01)
        self.sendline(text)

    def press(self, key: str) -> None:
        """Press a key when the command blocks, and stays so: before, Python can lose a Ctrl-C after its last words."""
        pattern, before = re.compile(r"^(?:State|voluntary_ctxt_switches):\t(\S+)", re.MULTILINE), ""
        status = Path(f"/proc/{self.process_id}/status")
        while status.exists():  # Linux alone has it; elsewhere a person would press the key again.
            state, switches = pattern.findall(status.read_text())
            if switches == before and state not in "RD":
                break
            before = switches
            time.sleep(0.02)
        self.send(key)

    def close(self) -> None:
        """Close the terminal: the kernel sends SIGHUP, and nothing can be printed any more."""
        if not self.closed:
            super().close()

    def end(self) -> None:
        """End the command, however it does."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                self.kill(signal.SIGKILL)
            self.wait()
        self.close()


Terminal = Callable[..., Screen]
