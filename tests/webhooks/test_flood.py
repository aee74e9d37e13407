"""What anybody can send to a receiver: it is refused with the right status, and adds little to the log."""

import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter

from testbed.webhooks.events import http_v2
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.setting import Limited, Setting
from testbed.webhooks.signing import sent
from token_refresh.webhooks import Receiver

MEBIBYTE = 1_048_576
LOGGED_BYTES = 1_024
"""The most that one request may add to the log, whatever is in it; docs/webhooks.md says it."""
PATH, GENUINE = "/webhooks/stripe", sent("stripe")
FORGED = {"Stripe-Signature": GENUINE.headers["Stripe-Signature"]}
THROUGH = {"X-Origin-Verify": "the-value"}


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        pytest.param(PATH, FORGED, b"x" * MEBIBYTE, 403, id="beside the distribution, 1 MB"),
        pytest.param("/", THROUGH | FORGED, b"x" * MEBIBYTE, 404, id="unknown path, 1 MB"),
        pytest.param("/" + "x" * 100_000, THROUGH | FORGED, b"x", 404, id="a long path"),
        pytest.param(PATH, THROUGH | FORGED, b"x" * (MEBIBYTE * 9 // 2), 413, id="over the limit, 4.5 MB"),
        pytest.param(PATH, THROUGH, b"x" * MEBIBYTE, 400, id="no signature, 1 MB"),
        pytest.param(PATH, THROUGH | FORGED, b"x" * 1024, 401, id="wrong signature, 1 KB"),
        pytest.param(PATH, THROUGH | FORGED, b"x" * (MEBIBYTE - 1024), 401, id="wrong signature, 1 MB"),
        pytest.param(PATH, THROUGH | dict(GENUINE.headers), GENUINE.body, 200, id="genuine"),
    ],
)
def test_a_request(
    caplog: pytest.LogCaptureFixture, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    """Each gets its status, and all its lines together, as Lambda writes them, have a kilobyte at most."""
    caplog.set_level(logging.INFO, "token_refresh.webhooks")
    setting = Setting()
    receiver = Receiver(setting.routes, deliver_to=Limited(setting), origin=FakeSecret("the-value"))

    response = receiver.handle(http_v2("POST", path, headers, body, encoded=True))

    assert status == response["statusCode"]
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert lines
    assert sum(len(line.encode()) for line in lines) <= LOGGED_BYTES
