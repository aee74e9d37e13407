"""What can happen to a delivery on its way, as a strategy of Hypothesis: `Corrupt` functions."""

import base64
import time
from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from testbed.webhooks.signing import SIGNATURE_HEADER, Sent, sent

SECRETS = {
    "stripe": "whsec_a",
    "slack": "b" * 32,
    "github": "c c",
    "standard": "whsec_" + base64.b64encode(b"d" * 24).decode(),
}


Corrupt = Callable[[st.DrawFn, str, Sent], Sent]


def leave(_draw: st.DrawFn, _kind: str, request: Sent) -> Sent:
    return request


def other_body(draw: st.DrawFn, _kind: str, request: Sent) -> Sent:
    return replace(request, body=draw(st.text(max_size=30)).encode())


def other_secret(draw: st.DrawFn, kind: str, request: Sent) -> Sent:
    secret = "whsec_" + base64.b64encode(draw(st.binary(min_size=1, max_size=40))).decode()
    return sent(kind, request.body, secret=secret, at=int(time.time()))


def other_time(draw: st.DrawFn, kind: str, request: Sent) -> Sent:
    # Further than the seconds that pass between two clocks being read; the future is one of Stripe's differences.
    off = draw(st.sampled_from([-100_000, -310, -290, 0, 290] + ([310, 100_000] if kind != "stripe" else [])))
    return sent(kind, request.body, secret=SECRETS[kind], at=int(time.time()) + off)


def cut_header(draw: st.DrawFn, kind: str, request: Sent) -> Sent:
    name = SIGNATURE_HEADER[kind]
    value = request.headers[name]
    return replace(request, headers=request.headers | {name: value[: draw(st.integers(0, len(value) - 1))]})


def change_header(draw: st.DrawFn, kind: str, request: Sent) -> Sent:
    name = SIGNATURE_HEADER[kind]
    value = request.headers[name]
    place = draw(st.integers(0, len(value) - 1))
    inserted = draw(st.text("0123456789abcdefv=,tT zZ", max_size=3))
    changed = value[:place] + inserted + value[place + draw(st.integers(0, 2)) :]
    return replace(request, headers=request.headers | {name: changed})


def drop_header(draw: st.DrawFn, _kind: str, request: Sent) -> Sent:
    name = draw(st.sampled_from(sorted(request.headers)))
    return replace(request, headers={key: value for key, value in request.headers.items() if key != name})


def any_header(draw: st.DrawFn, _kind: str, request: Sent) -> Sent:
    name = draw(st.sampled_from(sorted(request.headers)))
    return replace(request, headers=request.headers | {name: draw(st.text(max_size=80))})


def more_signatures(draw: st.DrawFn, kind: str, request: Sent) -> Sent:
    name, separator = SIGNATURE_HEADER[kind], {"stripe": ",", "standard": " "}.get(kind, ",")
    wrong = sent(kind, request.body, secret="whsec_b3RoZXI=").headers[name]
    others = [part for part in wrong.split(separator) if not part.startswith("t=")]
    parts = draw(st.permutations(request.headers[name].split(separator) + others))
    return replace(request, headers=request.headers | {name: separator.join(parts)})


CORRUPTIONS: tuple[Corrupt, ...] = (
    leave,
    other_body,
    other_secret,
    other_time,
    cut_header,
    change_header,
    drop_header,
    any_header,
    more_signatures,
)
