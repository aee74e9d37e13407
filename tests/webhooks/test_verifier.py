"""Verifying with a secret that is cached and rotated, with and without an event loop, and by mistake with others."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from testbed.reader_surroundings import WallClock
from testbed.webhooks.fake_secret import FakeSecret
from testbed.webhooks.setting import kinds
from testbed.webhooks.signing import NEW_SECRETS, NOW, SECRETS, SentRequest, sent
from token_refresh.errors import ConfigurationError, InternalError, InvalidSecretDocument, SecretAccessDenied
from token_refresh.reader import Runtime, SecretReader
from token_refresh.webhooks import SENDERS, STRIPE, Delivery, Verifier, WebhookMalformed, WebhookNotVerified

Verify = Callable[[Verifier, SentRequest], Delivery]


def sync(verifier: Verifier, request: SentRequest) -> Delivery:
    return verifier.verify(request.headers, request.body)


def async_(verifier: Verifier, request: SentRequest) -> Delivery:
    return asyncio.run(verifier.averify(request.headers, request.body))


ways = pytest.mark.parametrize("verify", [sync, async_])


def verifier_of(kind: str, secret: FakeSecret) -> Verifier:
    return Verifier(SENDERS[kind], secret, runtime=Runtime(clock=WallClock()))


@kinds
@ways
def test_verified(kind: str, verify: Verify) -> None:
    """A delivery says where it is from, when it was signed and with which version, and hides the rest."""
    secret = FakeSecret(SECRETS[kind])
    delivery = verify(verifier_of(kind, secret), sent(kind))
    assert kind == delivery.source
    assert (secret.cached[0].version_id, "current") == delivery.verified_with
    assert (None if kind == "github" else datetime.fromtimestamp(NOW, UTC)) == delivery.signed_at
    assert "canary" not in f"{delivery!r} {delivery}"
    assert delivery.key not in repr(delivery) or delivery.key == delivery.id
    assert 0 == secret.rejections


@kinds
@ways
def test_previous_secret(kind: str, verify: Verify) -> None:
    """While the previous secret is accepted, or found to be, what it signed verifies, and says so."""
    secret = FakeSecret(NEW_SECRETS[kind], SECRETS[kind])
    delivery = verify(verifier_of(kind, secret), sent(kind))
    assert (secret.cached[1].version_id, "previous", 0) == (*delivery.verified_with, secret.rejections)
    assert "current" == verify(verifier_of(kind, secret), sent(kind, secret=NEW_SECRETS[kind])).verified_with.stage
    unreadable = FakeSecret(NEW_SECRETS[kind])
    unreadable.stored = (unreadable.cached[0], unreadable.versions("", SECRETS[kind])[1])
    assert "previous" == verify(verifier_of(kind, unreadable), sent(kind)).verified_with.stage


@kinds
@ways
def test_changed_secret(kind: str, verify: Verify) -> None:
    """The first delivery that is signed with a new secret has it read, and verifies."""
    secret = FakeSecret(SECRETS[kind])
    secret.store(NEW_SECRETS[kind], SECRETS[kind])
    verifier = verifier_of(kind, secret)
    assert "current" == verify(verifier, sent(kind, secret=NEW_SECRETS[kind])).verified_with.stage
    assert "previous" == verify(verifier, sent(kind)).verified_with.stage
    assert 1 == secret.rejections


@kinds
@ways
def test_forged(kind: str, verify: Verify) -> None:
    """What fits no secret, after the newest was looked at, is not verified; the error says what is likely."""
    secret = FakeSecret(SECRETS[kind])
    with pytest.raises(WebhookNotVerified, match=r"no signature fits signing-secret \(versions 'version-") as caught:
        verify(verifier_of(kind, secret), sent(kind, secret=NEW_SECRETS[kind]))
    assert SENDERS[kind].hint in str(caught.value)
    assert (401, 1) == (caught.value.status, secret.rejections)
    secret.store("whsec_b3RoZXI=")
    with pytest.raises(WebhookNotVerified):
        verify(verifier_of(kind, secret), sent(kind, secret=NEW_SECRETS[kind]))


@kinds
@ways
def test_nothing_is_read_for_what_is_malformed_or_late(kind: str, verify: Verify) -> None:
    """What can't be a delivery is refused before the secret is asked for."""
    secret = FakeSecret(SECRETS[kind])
    secret.error = SecretAccessDenied("asked for")
    with pytest.raises(WebhookMalformed):
        verify(verifier_of(kind, secret), SentRequest(headers={}, body=b""))
    if kind != "github":
        with pytest.raises(WebhookNotVerified, match="signed 301 s ago, and 300 s are tolerated"):
            verify(verifier_of(kind, secret), sent(kind, at=NOW - 301))
        with pytest.raises(WebhookNotVerified, match="signed 301 s in the future"):
            verify(verifier_of(kind, secret), sent(kind, at=NOW + 301))
    with pytest.raises(SecretAccessDenied, match="asked for"):
        verify(verifier_of(kind, secret), sent(kind))


@kinds
@ways
@pytest.mark.parametrize("wrong", ["", "canary \n", b"canary"])
def test_new_secret_of_the_wrong_form(kind: str, verify: Verify, wrong: Any) -> None:
    """While the new secret can't be one, the previous one still verifies; for all else the error names the remedy."""
    secret = FakeSecret(SECRETS[kind])
    secret.store(wrong, SECRETS[kind])
    secret.cached = secret.stored
    assert "previous" == verify(verifier_of(kind, secret), sent(kind)).verified_with.stage
    with pytest.raises(InvalidSecretDocument, match="signing-secret") as caught:
        verify(verifier_of(kind, secret), sent(kind, secret=NEW_SECRETS[kind]))
    assert "canary" not in str(caught.value)


@ways
def test_defect(verify: Verify) -> None:
    """A defect says where it is, without what was delivered; a body that is no bytes is refused with the reason."""
    secret = FakeSecret(SECRETS["stripe"])
    parsed: Any = SentRequest(headers=sent("stripe").headers, body="text")  # type: ignore[arg-type] # the mistake
    with pytest.raises(ConfigurationError, match="needs the body as bytes, byte for byte as it came, and got str"):
        verify(verifier_of("stripe", secret), parsed)
    secret.cached = (object(),)  # type: ignore[assignment] # so that something breaks
    with pytest.raises(InternalError, match=r"^AttributeError at verifier\.py:\d+: a defect of this program$"):
        verify(verifier_of("stripe", secret), sent("stripe"))


def test_own_tolerance() -> None:
    """A tolerance of one's own is kept to the second; nothing, which switches Stripe's libraries off, is refused."""
    secret, runtime = FakeSecret(SECRETS["stripe"]), Runtime(clock=WallClock())
    verifier = Verifier(STRIPE, secret, tolerance=timedelta(minutes=1), runtime=runtime)
    assert "stripe" == sync(verifier, sent("stripe", at=NOW - 60)).source
    with pytest.raises(WebhookNotVerified, match="61 s ago, and 60 s are tolerated"):
        sync(verifier, sent("stripe", at=NOW - 61))
    for seconds in (0, -1):
        with pytest.raises(ValueError, match="tolerance must be a positive timedelta"):
            Verifier(STRIPE, secret, tolerance=timedelta(seconds=seconds))


def test_all_signatures_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each signature is compared with each key, whichever fits: the time that it takes doesn't tell which one did."""
    compared: list[bool] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one == other)
        return compared[-1]

    request = sent("stripe", secret="new")
    header = request.headers["Stripe-Signature"]
    request = SentRequest(headers={"Stripe-Signature": f"{header},v1={'0' * 64},v1={'1' * 64}"}, body=request.body)
    monkeypatch.setattr("token_refresh.webhooks.scheme.hmac.compare_digest", compare)
    assert "current" == sync(verifier_of("stripe", FakeSecret("new", "old")), request).verified_with.stage
    assert (6, 1) == (len(compared), sum(compared))


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("a/b", "a/b in eu-central-1 (versions|`aws secretsmanager put-secret-value --secret-id a/b --secret-string"),
        ("a/b", "file://secret.txt --region eu-central-1`"),
        ("arn:aws:secretsmanager:us-east-1:1:secret:a-AbCdEf", "--region us-east-1`"),
        (
            "ssm:/a/b",
            "`aws ssm put-parameter --type SecureString --overwrite --name /a/b --value file://secret.txt --r",
        ),
        ("amplify:NAME", "fits amplify:NAME (versions|Then store the right one: `npx ampx sandbox secret set NAME`"),
        ("env:NAME", "fits env:NAME (versions|Then store the right one: change env:NAME"),
    ],
)
def test_remedy(reference: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error ends with the complete command of the store that the secret is in; no region is made up."""
    with pytest.raises(WebhookNotVerified, match=r"--secret-string file://secret.txt`$"):
        sync(verifier_of("stripe", FakeSecret("right")), sent("stripe", secret="wrong"))
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    secret = FakeSecret("right", secret_id=reference)
    with pytest.raises(WebhookNotVerified) as caught:
        sync(verifier_of("stripe", secret), sent("stripe", secret="wrong"))
    assert all(part in str(caught.value) for part in says.split("|"))
    secret.store("wrong form\n")
    with pytest.raises(InvalidSecretDocument) as caught_too:
        sync(verifier_of("stripe", secret), sent("stripe", secret="wrong"))
    assert says.rpartition(" store the right one: ")[2].split("|")[-1] in str(caught_too.value)


@pytest.mark.parametrize("kind", ["stripe", "slack", "github"])
def test_secret_that_the_console_wrapped(kind: str) -> None:
    """A stored JSON object, as the console makes it, is named where nothing fits, without a part of it."""
    secret = FakeSecret(json.dumps({"canary-key": SECRETS[kind]}))
    with pytest.raises(WebhookNotVerified, match=r"it is a JSON object: give its name with #key") as caught:
        sync(verifier_of(kind, secret), sent(kind))
    assert "canary" not in str(caught.value)


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


@pytest.mark.parametrize("headers", [None, "stripe-signature", b"{}", 3, [("a",)], [(b"Stripe-Signature", b"t=1")]])
def test_headers(headers: Any) -> None:
    """Headers may be pairs, once each; anything else in their place is an error of the caller, and no defect."""
    request, verifier = sent("stripe"), verifier_of("stripe", FakeSecret(CANARY))
    pairs = list(request.headers.items())
    assert "stripe" == verifier.verify(pairs, request.body).source == verifier.verify(iter(pairs), request.body).source
    with pytest.raises(WebhookMalformed, match="came 2 times"):
        verifier.verify(pairs * 2, request.body)

    with pytest.raises(ConfigurationError, match="a mapping or pairs of text, and got") as caught:
        verifier.verify(headers, b"{}")

    assert "verifier.verify(request.headers, body)" in str(caught.value)
