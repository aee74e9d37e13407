"""Start a demo: what `scripts/demo` runs. Ctrl-C ends it with one line at any moment, also while this loads."""

import importlib
import io
import os
import signal
import sys
from types import FrameType

from testbed.surroundings import forget_settings

_INTERRUPTED = "\nscripts/demo: interrupted; everything that was started has ended\n"
_EX_INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Play the demo that the first argument names, and return the exit code."""
    name = arguments.pop(0) if arguments[:1] == ["customers"] else "demo"
    demo = importlib.import_module(f"demos.{name}")  # takes a second
    try:
        signal.signal(signal.SIGINT, _interrupt)
        signal.signal(signal.SIGTERM, _interrupt)
        forget_settings()
        return int(demo.main(arguments))
    except KeyboardInterrupt:
        sys.stderr.write(_INTERRUPTED)
        sys.stderr = io.StringIO()  # the CDK's library shows a traceback at exit if Ctrl-C has ended its Node.js first
        return _EX_INTERRUPTED


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once: so far nothing was started."""
    del number, frame
    os.write(sys.stderr.fileno(), _INTERRUPTED.encode())
    os._exit(_EX_INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Let everything that was started end."""
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # scripts/demo starts this with it blocked
    sys.exit(main(sys.argv[1:]))
