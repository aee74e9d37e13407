"""The header that a distribution in front adds: without it nothing comes in."""

import hmac
import logging
from typing import Any

import pytest

from testbed.webhooks.events import http_v2, shapes
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.setting import Setting
from testbed.webhooks.signing import sent
from token_refresh.errors import SecretAccessDenied
from token_refresh.webhooks import Receiver

CURRENT, PREVIOUS, NEXT = "current-canary", "previous-canary", "next-canary"


class Behind:
    """A receiver behind a distribution."""

    def __init__(self, setting: Setting) -> None:
        self.secret = FakeSecret(CURRENT, PREVIOUS)
        self.setting = setting
        self.receiver = Receiver(setting.routes, deliver_to=setting.take, origin=self.secret)

    def status(self, *, shape: Any = http_v2, path: str = "/webhooks/stripe", **headers: str) -> int:
        request = sent("stripe")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return int(self.receiver.handle(shape("POST", path, request.headers | named, request.body))["statusCode"])


@pytest.fixture
def behind(setting: Setting) -> Behind:
    return Behind(setting)


@shapes
def test_through_the_distribution(behind: Behind, shape: Any) -> None:
    """The current value, the previous one, and one stored just now get through; nothing does if they are unreadable."""
    assert [200, 200] == [behind.status(shape=shape, X_Origin_Verify=value) for value in (CURRENT, PREVIOUS)]
    behind.secret.store(NEXT, CURRENT)
    assert [200, 403] == [behind.status(shape=shape, X_Origin_Verify=value) for value in (NEXT, PREVIOUS)]
    behind.secret.error = SecretAccessDenied("no")
    assert 503 == behind.status(shape=shape, X_Origin_Verify=CURRENT)
    assert 3 == len(behind.setting.delivered)


@shapes
@pytest.mark.parametrize("headers", [{}, {"X_Origin_Verify": ""}])
def test_beside_the_distribution(behind: Behind, shape: Any, headers: dict[str, str]) -> None:
    """Without the header a request is refused at any path, and neither secret is looked up."""
    for path in ("/webhooks/stripe", "/"):
        assert 403 == behind.status(shape=shape, path=path, **headers)
    assert (0, 0) == (behind.secret.lookups, behind.setting.secrets["stripe"].lookups)
    assert [] == behind.setting.delivered


@pytest.mark.parametrize("value", ["x", CURRENT[:-1], f"{CURRENT} ", CURRENT.upper(), "\udcff", "é"])
def test_a_wrong_value(behind: Behind, value: str, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong value is refused after a look for a newer one, before the signature is looked at, and is not quoted."""
    assert 403 == behind.status(X_Origin_Verify=value)

    assert (1, 0) == (behind.secret.rejections, behind.setting.secrets["stripe"].lookups)
    (record,) = caplog.records
    assert (logging.WARNING, "not_from_origin") == (record.levelno, vars(record)["outcome"])
    assert "canary" not in str(vars(record)).lower()


def test_each_value_is_compared_in_constant_time(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each accepted value is compared whole, whichever fits, so that the time says nothing."""
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return one == other

    monkeypatch.setattr("token_refresh.webhooks.receiver.hmac.compare_digest", compare)
    monkeypatch.setattr("token_refresh.webhooks.scheme.hmac.compare_digest", hmac.compare_digest)
    for value in (CURRENT, PREVIOUS):
        compared.clear()
        behind.status(X_Origin_Verify=value)
        assert [CURRENT.encode(), PREVIOUS.encode()] == compared[:2]


def test_the_header_twice(behind: Behind) -> None:
    """A header that comes twice, once from the sender and once from something in between, is refused."""
    request = sent("stripe")
    event = http_v2("POST", "/webhooks/stripe", request.headers, request.body)
    twice = event["headers"] | {"x-origin-verify": CURRENT, "X-Origin-Verify": CURRENT}

    assert 400 == behind.receiver.handle(event | {"headers": twice})["statusCode"]
