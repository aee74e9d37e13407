"""Programs that are forked off one process which has imported all that they need: to start takes most of their time.

A fork has the arguments, the folder, the environment and the files or the terminal of whoever asks for it, and is
killed by its ID.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys
import termios
import traceback
from collections.abc import Callable

PROGRAM = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as forks:
    forks.connect({address!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)])
    socket.send_fds(forks, [asked.encode()], [0, 1, 2])
    forks.recv(99)
    sys.exit(int(forks.recv(99)))
"""
"""The program that asks for a fork."""


def serve(address: str, main: Callable[[list[str]], object]) -> None:
    """Fork for each program that connects, and call `main` with its arguments; end with standard input."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(address)
        server.listen()
        print(json.dumps({"address": address}), flush=True)  # whoever started this waits for it
        while select.select([server, sys.stdin], [], [])[0] == [server]:
            program, _ = server.accept()
            if not (fork := os.fork()):
                os._exit(_run(program, main))
            program.send(str(fork).encode())
            program.send(str(os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])).encode())
            program.close()


def _run(program: socket.socket, main: Callable[[list[str]], object]) -> int:
    asked, files, _, _ = socket.recv_fds(program, 1 << 17, 3)
    arguments, folder, environment = json.loads(asked)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    if os.isatty(0):  # which is its own from now on, and sends it Ctrl-C
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", errors="backslashreplace")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    status = 1
    try:
        main(arguments)
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 - shown and ended as Python does
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return status
