"""A network that sends nothing and waits for nothing after a moment, however the other side behaves.

HTTP clients limit the time of each read, so a server that drips bytes can go on forever. Here every read and
write has the time that the request has left. The clock counts suspended time: a process that is thawed later sends
nothing more, and reads the response that has arrived meanwhile.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import httpcore
import httpx

from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.proxies import find_proxy
from token_refresh_worker.oauth.unread import MOST_BYTES

CONNECT_SECONDS: Final = 10.0
"""How long name lookup, connection and TLS may take. Nothing is sent before, so the request can be repeated."""

LATE_READS: Final = 16
"""How often a request reads what has arrived after its end; a TLS record has up to 16 KiB."""


class TimeLimit:
    """When a request must have ended, and whether it has begun to send."""

    def __init__(self, seconds: float) -> None:
        now = _now()
        self._ends_at = now + seconds
        self._begins_by = now + min(seconds, CONNECT_SECONDS)
        self.begun = False
        """Whether a byte may have left. From there on, silence proves nothing."""
        self._late_reads = LATE_READS
        self.received = bytearray()
        """What arrived since the last write, before anything reads it as HTTP: at most `MOST_BYTES`."""

    @property
    def remaining_seconds(self) -> float:
        """How much time is left, for the connection or, once it sends, for the response; negative after that."""
        return (self._ends_at if self.begun else self._begins_by) - _now()

    def begin(self) -> None:
        """Note that a byte may leave; raise if the time for that is over.

        It is noted before the clock is read, so that the waiting thread never takes a sent request for an unsent one.
        """
        begun, self.begun = self.begun, True
        if not begun and self._begins_by <= _now():
            raise httpcore.WriteTimeout

    def read_seconds(self) -> float:
        """Return how long a read may wait: after the end not at all, so it gets what has arrived."""
        seconds = self.remaining_seconds
        if seconds <= 0:
            # A server that floods us would never come to an end.
            self._late_reads -= 1
            if self._late_reads < 0:
                raise httpcore.ReadTimeout
        return max(seconds, 0.0)

    def left_seconds(self, error: type[httpcore.TimeoutException]) -> float:
        """Return the time that is left; raise `error` if there is none."""
        seconds = self.remaining_seconds
        if seconds <= 0:
            raise error
        return seconds


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LimitedTransport(httpx.BaseTransport):
    """Sends one request of httpx over a network that ends with a time limit; errors are httpcore's.

    No `httpx.Client` is above it. One would log each URL, where some providers want the token, and show it to tracers;
    and it reads the target of a redirect that it does not follow: a malformed one raises what an unsent request raises.
    """

    def __init__(self, limit: TimeLimit, ca_certificates: str | None = None) -> None:
        self._network = LimitedNetwork(limit)
        self._ca_certificates = ca_certificates
        self._pool: httpcore.ConnectionPool | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; the body of its response is read from the network until `close`."""
        url = request.url
        # Here, so that nobody sends a request past this rule.
        proxy = _proxy(find_proxy(str(url)))
        trusted = ssl.create_default_context(cadata=self._ca_certificates) if self._ca_certificates else None
        self._pool = httpcore.ConnectionPool(trusted, proxy=proxy, network_backend=self._network)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        response = self._pool.handle_request(
            httpcore.Request(request.method, target, headers=request.headers.raw, content=request.read() or None)
        )
        return httpx.Response(response.status, headers=response.headers, content=response.iter_stream())

    def close(self) -> None:
        """Close the connection."""
        if self._pool is not None:
            self._pool.close()


def _proxy(url: SecretValue | None) -> httpcore.Proxy | None:
    if url is None:
        return None
    proxy = httpx.Proxy(url.reveal())  # which reads its credentials
    server = httpcore.URL(scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target="/")
    return httpcore.Proxy(server, auth=proxy.raw_auth)


def addresses_of(host: str) -> Sequence[str]:
    """Look up the addresses of a host, the best one first; none where nobody knows it."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class LimitedNetwork(httpcore.NetworkBackend):
    """Opens connections that end with the time limit."""

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the limit is shorter
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect within the time that is left, of which each address gets its share: one may drop all packets."""
        failure: Exception = httpcore.ConnectError()
        addresses = addresses_of(host)
        for tried, address in enumerate(addresses):
            try:
                seconds = self._limit.left_seconds(httpcore.ConnectTimeout) / (len(addresses) - tried)
                stream = self._network.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _LimitedStream(stream, self._limit)
        raise failure


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, limit: TimeLimit) -> None:
        self._stream = stream
        self._limit = limit

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the limit is shorter
        read = self._stream.read(max_bytes, self._limit.read_seconds())
        received = self._limit.received
        received += read[: MOST_BYTES - len(received)]
        return read

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the limit is shorter
        self._limit.begin()
        self._limit.received.clear()
        self._stream.write(buffer, self._limit.left_seconds(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: Any,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the limit is shorter
    ) -> httpcore.NetworkStream:
        left_seconds = self._limit.left_seconds(httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, left_seconds), self._limit)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
