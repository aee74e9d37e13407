"""What the scriptable token endpoint does with one request, where the grant's own response won't do.

    endpoint.play(status(503, headers={"Retry-After": "1"}), close(commit=True))

scripts the next two requests; those after them get the grant's response again.
"""

import gzip
import json
from dataclasses import dataclass
from typing import Any, Literal

Point = Literal["before_commit", "after_commit"]
"""Where a held request waits: read, and not yet redeemed; or redeemed, and not yet responded to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What happens to one request, from the connection to the last byte of the response."""

    read: bool = True
    """False: the connection is closed before a byte of the request is read."""
    commit: bool = False
    """Redeem the refresh token that was sent, whatever the response."""
    hold: Point | None = None
    """Wait there until `TokenEndpoint.release`."""
    response: bytes | None = None
    """The whole response, head included, byte for byte; None: what the grant responds, which commits."""
    drip_seconds: float | None = None
    """Send the response byte by byte, this long apart."""
    hang: bool = False
    """Keep the connection open, silent, until the client or the endpoint closes it; otherwise it is closed."""


def raw(response: bytes, *, commit: bool = False) -> Script:
    """Respond with these very bytes, HTTP or not."""
    return Script(response=response, commit=commit)


def status(
    code: int,
    body: bytes | dict[str, Any] = b"",
    *,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    commit: bool = False,
) -> Script:
    """Respond with a status and a body; a dict is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": content_type, "Content-Length": str(len(content)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return Script(response=f"HTTP/1.1 {code} Scripted\r\n{head}\r\n".encode("latin-1") + content, commit=commit)


def error(code: str, *, http_status: int = 400, description: str | None = None) -> Script:
    """Respond with an error response of RFC 6749 section 5.2."""
    return status(http_status, {"error": code} | ({"error_description": description} if description else {}))


def html(code: int, *, commit: bool = False) -> Script:
    """Respond with the page of a bot filter or a proxy."""
    return status(code, b"<!doctype html><title>Just a moment...</title>", content_type="text/html", commit=commit)


def gzipped(body: bytes) -> Script:
    """Respond 200 with a compressed body, which may be far larger than what is sent."""
    return status(200, gzip.compress(body), headers={"Content-Encoding": "gzip"})


def truncated(*, commit: bool = False) -> Script:
    """Promise more than is sent, then close."""
    return raw(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"access_', commit=commit)


def drip(seconds_apart: float) -> Script:
    """Send the grant's response byte by byte."""
    return Script(drip_seconds=seconds_apart)


def hang() -> Script:
    """Read the request and never respond."""
    return Script(response=b"", hang=True)


def close(*, read: bool = True, commit: bool = False) -> Script:
    """Close the connection without a byte of a response, before or after the request is read."""
    return Script(response=b"", read=read, commit=commit)


def hold(point: Point) -> Script:
    """Let the grant respond, but wait at `point` until released."""
    return Script(hold=point)
