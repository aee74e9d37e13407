"""A port for a program that listens at the port it is given."""

import contextlib
import random
import socket


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at.

    It is below those that Linux gives to connections: one of these can be taken again before the program listens.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
