"""The servers of the testbed tell a client that went away from a defect of their own."""

import socket

import pytest

from testbed.loopback import LoopbackHandler, LoopbackServer


class _Echo(LoopbackHandler):
    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.respond(200, self.read_body())


@pytest.mark.parametrize("sent", [b"", b"hal"])
def test_a_client_that_was_killed_is_no_defect(sent: bytes) -> None:
    """A client that leaves before the whole body is there is not responded to, and fails no test."""
    with (
        LoopbackServer(_Echo) as server,
        socket.create_connection(("127.0.0.1", server.server_address[1])) as client,
    ):
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n" + sent)
        client.shutdown(socket.SHUT_WR)

        assert b"" == client.recv(1)
