"""`sign`: the headers of each sender."""

from datetime import UTC, datetime, timedelta

import pytest

from testbed.webhooks.signing import BODIES, NEW_SECRETS, SECRETS, sent
from token_refresh.errors import ConfigurationError
from token_refresh.testing import FakeSecretReader, sign
from token_refresh.webhooks import SENDERS, STANDARD, STRIPE, Scheme, Verifier, WebhookNotVerified


@pytest.mark.parametrize("scheme", SENDERS.values(), ids=SENDERS)
def test_each_sender(scheme: Scheme) -> None:
    """What is signed for a sender is verified, as what the sender signs is; with another secret, neither is."""
    verifier = Verifier(scheme, FakeSecretReader(SECRETS[scheme.name]))
    body = BODIES[scheme.name]
    now = datetime.now(UTC)

    signed = sign(scheme, body, SECRETS[scheme.name], at=now)
    by_sender = sent(scheme.name, at=int(now.timestamp())).headers

    assert scheme.name == verifier.verify(signed, body).source == verifier.verify(by_sender, body).source
    with pytest.raises(WebhookNotVerified):
        verifier.verify(sign(scheme, body, NEW_SECRETS[scheme.name]), body)


def test_an_old_delivery() -> None:
    """`at` makes a delivery that is too old, and `message_id` one that a test knows again."""
    old = sign(STRIPE, b"{}", SECRETS["stripe"], at=datetime.now(UTC) - timedelta(hours=1))
    known = sign(STANDARD, b"{}", SECRETS["standard"], message_id="msg_7")

    with pytest.raises(WebhookNotVerified, match="ago"):
        Verifier(STRIPE, FakeSecretReader(SECRETS["stripe"])).verify(old, b"{}")
    assert "msg_7" == Verifier(STANDARD, FakeSecretReader(SECRETS["standard"])).verify(known, b"{}").key


def test_a_scheme_of_ones_own() -> None:
    """How another sender signs nobody knows here, and the error says so."""
    with pytest.raises(ConfigurationError, match="knows stripe, slack, github, standard"):
        sign(STRIPE._replace(name="own"), b"{}", "secret")
