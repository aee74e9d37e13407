"""Failures of ours and of what takes the deliveries, in each shape of event: the status, and what is logged."""

import asyncio
import logging
from typing import Any

import pytest

from testbed.webhooks.events import headers_of, http_v2, shapes
from testbed.webhooks.setting import Setting, kinds
from testbed.webhooks.signing import sent
from token_refresh import errors
from token_refresh.webhooks import DeliveryNotQueued, Receiver, WebhookMalformed, WebhookNotVerified, WebhookTooLarge


@shapes
def test_too_large(setting: Setting, shape: Any) -> None:
    """What the queue can't take because of its size is 413, and Slack is asked not to send it again."""
    setting.error = WebhookTooLarge("too large")
    for kind, says in (("stripe", None), ("slack", "1")):
        request = sent(kind)
        response = setting.handle(shape("POST", f"/webhooks/{kind}", request.headers, request.body))
        assert (413, "refused", says) == (
            response["statusCode"],
            response["body"],
            headers_of(response).get("X-Slack-No-Retry"),
        )


@shapes
@pytest.mark.parametrize(
    "failure",
    [
        (DeliveryNotQueued("q"), 503, "not_queued", "30"),
        (errors.SecretStoreUnavailable("s"), 503, "secret_unavailable", "30"),
        (errors.SecretNotFound("s"), 503, "secret_unusable", "30"),
        (errors.SecretEmpty("s"), 503, "secret_unusable", "30"),
        (errors.SecretAccessDenied("s"), 503, "secret_unusable", "30"),
        (errors.InvalidSecretDocument("s"), 503, "secret_unusable", "30"),
        (type("Mine", (DeliveryNotQueued,), {})("q"), 503, "not_queued", "30"),
        (KeyError("canary-body"), 500, "defect", None),
    ],
)
def test_failures(
    setting: Setting, shape: Any, failure: tuple[Exception, int, str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    """A failure of ours is 5xx, so that the sender tries again, and an error in the log that names it."""
    error, status, outcome, retry_after = failure
    request = sent("stripe")
    if isinstance(error, errors.SecretStoreError | errors.InvalidSecretDocument):
        setting.secrets["stripe"].error = error
    else:
        setting.error = error
    response = setting.handle(shape("POST", "/webhooks/stripe", request.headers, request.body))
    assert (status, "unavailable") == (response["statusCode"], response["body"])
    assert retry_after == headers_of(response).get("Retry-After")
    (record,) = caplog.records
    assert (logging.ERROR, outcome) == (record.levelno, vars(record)["outcome"])
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        WebhookMalformed("m"),
        WebhookNotVerified("n"),
        errors.SecretStoreUnavailable("s"),
        asyncio.CancelledError("canary"),
    ],
)
def test_error_of_the_function_that_takes_deliveries(
    setting: Setting, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever that function raises, a verified delivery is a 500, which the sender repeats, and not its own fault."""
    setting.error = error
    request = sent("slack", b"command=%2Fdeploy&trigger_id=1.2")
    response = setting.handle(http_v2("POST", "/webhooks/slack", request.headers, request.body))
    assert (500, None) == (response["statusCode"], response["headers"].get("X-Slack-No-Retry"))
    assert f"defect: InternalError: deliver_to failed: {type(error).__name__}" in caplog.text
    assert "canary" not in caplog.text


def test_asynchronous_function_that_takes_deliveries(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    """What an asynchronous function returns is run by nobody, and takes nothing: 500, and an error that says so."""

    class Later:
        __await__ = None  # as a coroutine has it

    receiver = Receiver({"/webhooks/slack": setting.verifiers["slack"]}, deliver_to=lambda *_: Later())  # type: ignore[arg-type] # as people do
    request = sent("slack")
    assert 500 == receiver.handle(http_v2("POST", "/webhooks/slack", request.headers, request.body))["statusCode"]
    assert "deliver_to failed: ConfigurationError: it is asynchronous" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_end_of_the_process_is_not_delayed(setting: Setting, error: type[BaseException]) -> None:
    """What ends the process passes through."""
    setting.error = error()
    request = sent("slack")
    with pytest.raises(error):
        setting.handle(http_v2("POST", "/webhooks/slack", request.headers, request.body))


@kinds
def test_secret_of_the_wrong_form(setting: Setting, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """A stored secret that can't be one is 503, and the log says what is wrong and which command stores another."""
    setting.secrets[kind].cached = setting.secrets[kind].versions(" canary\n")
    setting.secrets[kind].stored = setting.secrets[kind].cached
    request = sent(kind)
    assert 503 == setting.handle(http_v2("POST", f"/webhooks/{kind}", request.headers, request.body))["statusCode"]
    assert "begins or ends with white space" in caplog.text
    assert "aws secretsmanager put-secret-value --secret-id signing-secret" in caplog.text
    assert "canary" not in caplog.text
