"""What people write by mistake has a name, and the error shows the right line and no secret."""

from typing import Any

import pytest

from testbed.reader_surroundings import Clock
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.setting import kinds
from testbed.webhooks.signing import SECRETS, sent
from token_refresh.errors import ConfigurationError
from token_refresh.reader import Runtime, SecretReader
from token_refresh.webhooks import STRIPE, Verifier, WebhookMalformed
from webhooks.test_verifier import verifier_of

CANARY = SECRETS["stripe"]


@pytest.mark.parametrize(
    ("scheme", "secret", "what"),
    [
        (STRIPE, CANARY, "a SecretReader as its second argument, and got str"),
        (STRIPE, None, "a SecretReader as its second argument, and got NoneType"),
        ("stripe", SecretReader("env:KEY"), "a sender, such as STRIPE, as its first argument, and got str"),
        (CANARY, STRIPE, "a sender, such as STRIPE, as its first argument, and got str"),
    ],
)
def test_a_verifier_of_something_else(scheme: Any, secret: Any, what: str) -> None:
    """A verifier that is given a secret, or a sender's name, shows how it is written; no frame holds the secret."""
    with pytest.raises(ConfigurationError, match=what) as caught:
        Verifier(scheme, secret)

    assert 'Write Verifier(STRIPE, SecretReader("my-app/prod/stripe"))' in str(caught.value)
    assert CANARY not in str(caught.value)
    frame = caught.traceback[-1].frame
    assert "secret" not in frame.f_locals


@kinds
def test_headers_as_pairs(kind: str) -> None:
    """Headers may be pairs, as WSGI servers and proxies have them; one that comes twice is still refused."""
    request, verifier = sent(kind), verifier_of(kind, FakeSecret(SECRETS[kind]))
    pairs = list(request.headers.items())

    assert kind == verifier.verify(pairs, request.body).source
    assert kind == verifier.verify(iter(pairs), request.body).source
    with pytest.raises(WebhookMalformed, match="came 2 times"):
        verifier.verify(pairs * 2, request.body)


@pytest.mark.parametrize("headers", [None, "stripe-signature", b"{}", 3, [("a",)], [(b"Stripe-Signature", b"t=1")]])
def test_headers_that_are_none(headers: Any) -> None:
    """Anything else in place of headers, and headers in bytes, are an error of the caller, and no defect of ours."""
    verifier = Verifier(STRIPE, FakeSecret(CANARY), runtime=Runtime(clock=Clock()))

    with pytest.raises(ConfigurationError, match="a mapping or pairs of text, and got") as caught:
        verifier.verify(headers, b"{}")

    assert "verifier.verify(request.headers, body)" in str(caught.value)
