"""Whatever a stranger sends, broken events, headers, times, encodings and bodies, ends in a named response."""

import collections
import copy
import json
import logging
import random
from typing import Any

import pytest

from examples import SHARE, examples
from testbed.webhooks.events import SHAPES
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.setting import Setting
from testbed.webhooks.signing import KINDS, NOW, SECRETS, SIGNATURE_HEADER, sent
from token_refresh import errors
from token_refresh.webhooks import Receiver

GROUP = "unmeasured"

# What the table of responses has; 500 is a defect, and not among them.
NAMED = {200, 400, 401, 403, 404, 405, 413, 503}
ORIGIN = "canary-origin"
ODD_CHARACTERS = "é\ud800\x00\n\u0661²"
TEXTS: list[str] = ["", " ", *ODD_CHARACTERS, "NaN", "1e9", "-1", "9" * 400, "v1", "t=", ",,,", "=" * 50, "canary-text"]
BODIES = (
    b"",
    b"\xff\xfe",
    b"null",
    b"[" * 5000,
    b'{"id": {}}',
    b"%",
    b"payload=%7B",
    b"ssl_check=1",
    b"\xef\xbb\xbf{}",
)
BODIES_OF_KIND = {
    "slack": (b'{"type":"url_verification","challenge":"c"}', b'{"event": "text"}', b'{"event":{"type":[]}}')
}
ODD_VALUES: tuple[Any, ...] = (None, 0, [], {}, "", "text", True, [None], {"a": 1}, "\ud800", 1e308)


def broken_text(chance: random.Random, text: str) -> str:
    """Change a text somewhere, or make another one."""
    if chance.random() < 0.3:
        return chance.choice(TEXTS)
    place = chance.randrange(len(text) + 1)
    piece = chance.choice((*TEXTS, chr(chance.randrange(0x110000)), text[:place]))
    return text[:place] + piece + text[place + chance.randrange(3) :]


def hostile_event(chance: random.Random) -> Any:
    """Make one event, of which no, one or several parts are broken."""
    kind = chance.choice(KINDS)
    body = chance.choice(
        (*BODIES, *BODIES_OF_KIND.get(kind, ()), sent(kind).body, chance.randbytes(chance.randrange(40)))
    )
    secret = chance.choice((SECRETS[kind], SECRETS[kind], "whsec_b3RoZXI="))
    at = NOW + chance.choice((0, 0, 0, -301, 301, 10**9, -NOW))
    headers = dict(sent(kind, body, secret=secret, at=at).headers)
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        name = chance.choice((SIGNATURE_HEADER[kind], *headers))
        if name in headers:
            headers[name] = broken_text(chance, headers.pop(name))
            chance.random() < 0.2 and headers.pop(name)
    if chance.random() < 0.5:
        headers["X-Origin-Verify"] = ORIGIN if chance.random() < 0.8 else broken_text(chance, ORIGIN)
    shape = chance.choice(tuple(SHAPES.values()))
    path = f"/webhooks/{kind}" if chance.random() < 0.95 else chance.choice(TEXTS)
    event = shape("POST" if chance.random() < 0.95 else "GET", path, headers, body, encoded=True)
    for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
        break_somewhere(chance, event)
    return event if chance.random() < 0.99 else chance.choice(ODD_VALUES)


def break_somewhere(chance: random.Random, value: Any) -> None:
    """Replace or remove one part of an event, at any depth."""
    while isinstance(value, dict) and value:
        name = chance.choice(sorted(value))
        if not isinstance(value[name], dict) or chance.random() < 0.3:
            if chance.random() < 0.3:
                del value[name]
            else:
                value[name] = copy.deepcopy(chance.choice((*ODD_VALUES, broken_text(chance, str(value[name])))))
            return
        value = value[name]


def setting_of(chance: random.Random) -> Setting:
    """Make a receiver whose secrets and queue fail now and then, and which is behind a distribution now and then."""
    setting = Setting()
    roll = chance.random()
    if roll < 0.02:
        setting.secrets[chance.choice(KINDS)].error = errors.SecretStoreUnavailable("down")
    elif roll < 0.04:
        kind = chance.choice(KINDS)
        setting.secrets[kind].store("canary \n")
        setting.secrets[kind].cached = setting.secrets[kind].stored
    if chance.random() < 0.3:
        setting.receiver = Receiver(setting.routes, deliver_to=setting.take, origin=FakeSecret(ORIGIN))
    return setting


class Listener(logging.Handler):
    """Keeps the last line, with all of its fields."""

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = f"{record.getMessage()} {vars(record)}"


def assault(count: int, seed: int) -> collections.Counter[int]:
    """Send so many; count the statuses. Fails on a status without a name, an exception, or a line that quotes."""
    chance, statuses, listener = random.Random(seed), collections.Counter[int](), Listener()  # noqa: S311 - not for secrets
    logger = logging.getLogger("token_refresh.webhooks")
    logger.addHandler(listener)
    before, logger.propagate = logger.propagate, False
    try:
        for _ in range(count):
            event = hostile_event(chance)
            response = setting_of(chance).handle(event)
            status = response["statusCode"]
            assert status in NAMED, f"{status} for {event!r}: {listener.said}"
            json.dumps(response).encode()
            assert "canary" not in listener.said + json.dumps(response), f"quoted of {event!r}: {listener.said}"
            statuses[status] += 1
    finally:
        logger.removeHandler(listener)
        logger.propagate = before
    return statuses


@pytest.mark.no_cover  # generates thousands of cases, which coverage makes twice as slow
def test_hostile_requests() -> None:
    """3,000 broken events, headers, times and bodies, each night more: a named status, no traceback, nothing quoted."""
    statuses = assault(examples(30_000), seed=SHARE)
    assert {200, 400, 401, 403, 404, 405, 503} <= set(statuses)
