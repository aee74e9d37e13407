"""What services are given to test with: fakes, signed deliveries, and the examples of docs/testing.md."""

import asyncio
import inspect
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from testbed.webhooks.signing import BODIES, NEW_SECRETS, SECRETS, sent
from token_refresh.errors import ConfigurationError
from token_refresh.reader import SecretReader, SecretStoreUnavailable, TokenExpired, TokenReader
from token_refresh.reader.httpx_auth import TokenAuth
from token_refresh.testing import FakeSecretReader, FakeTokenReader, sign
from token_refresh.webhooks import SENDERS, STANDARD, STRIPE, Scheme, Verifier, WebhookNotVerified


@pytest.mark.parametrize(
    ("fake", "real"), [(FakeTokenReader, TokenReader), (FakeSecretReader, SecretReader)], ids=["tokens", "secrets"]
)
def test_a_fake_overrides_whatever_reads(fake: type, real: type) -> None:
    """Each public method of the real reader that reads is the fake's own, or calls one that is."""
    derived = {"aget", "secret", "asecret", "text", "atext", "json", "ajson", "binary", "abinary"}
    public = {name for name, _ in inspect.getmembers(real, inspect.isfunction) if not name.startswith("_")}

    assert set() == {name for name in public - derived if getattr(fake, name) is getattr(real, name)}
    for name in public:
        assert inspect.signature(getattr(real, name)).parameters == inspect.signature(getattr(fake, name)).parameters


def test_a_token_is_what_the_test_set() -> None:
    """`refresh` makes another token current, with a version of its own and in the future's validity."""
    tokens = FakeTokenReader("first")
    first = tokens.token()

    second = tokens.refresh("second")

    assert ("second", "second", second) == (tokens.get(), asyncio.run(tokens.aget()), asyncio.run(tokens.atoken()))
    assert first.version_id != second.version_id
    assert second.created_at < second.expires_at
    assert "first" not in repr(first)


def test_no_expired_token() -> None:
    """A fake serves no token whose life is over, whether the fake or the token had that life."""
    tokens = FakeTokenReader("dead", lifetime=timedelta())

    with pytest.raises(TokenExpired, match="the fake's access token expired at"):
        tokens.get()
    tokens.refresh("alive", lifetime=timedelta(hours=1))
    assert "alive" == tokens.get()
    tokens.refresh("dead", lifetime=timedelta())
    with pytest.raises(TokenExpired):
        asyncio.run(tokens.aget())


def test_health() -> None:
    """A fake's health is that of the token and the error that the test set."""
    tokens = FakeTokenReader("one", lifetime=timedelta(hours=1))
    first = tokens.health()
    tokens.fail(SecretStoreUnavailable("down"))

    assert (0, 3500) < (first.age_seconds, first.seconds_to_expiry) < (100, 3601)
    assert first.last_error is None
    assert isinstance(tokens.health().last_error, SecretStoreUnavailable)


def test_a_rejected_token_is_worth_a_retry_only_if_there_is_another() -> None:
    """`reject` notes the token, and is True once another is current."""
    tokens = FakeTokenReader("first")
    first = tokens.token()

    before = tokens.reject(first)
    tokens.refresh("second")

    assert (False, True) == (before, asyncio.run(tokens.areject("first")))
    assert ["first", "first"] == tokens.rejected


def test_a_failure_lasts_until_the_next_refresh() -> None:
    """`fail` makes reads raise; `refresh` ends that."""
    tokens = FakeTokenReader()
    tokens.fail(TokenExpired("no token"))

    with pytest.raises(TokenExpired, match="no token"):
        tokens.get()
    assert not tokens.reject("other")

    tokens.refresh("new")
    assert "new" == tokens.get()


def test_the_auth_hook_works_with_a_fake() -> None:
    """A service's client repeats a request with the new token after a 401, as in production."""
    tokens = FakeTokenReader("old")

    def api(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer new":
            return httpx.Response(200)
        tokens.refresh("new")
        return httpx.Response(401)

    with httpx.Client(transport=httpx.MockTransport(api), auth=TokenAuth(tokens)) as client:
        assert 200 == client.get("https://api.test/").status_code
    assert ["old"] == tokens.rejected


def test_a_rotated_secret_overlaps() -> None:
    """`rotate` keeps the value before accepted, unless `overlap=False`."""
    secrets = FakeSecretReader("one")
    one = secrets.secret()
    secrets.rotate("two")

    assert [("two", "current"), ("one", "previous")] == [(s.text(), s.stage) for s in secrets.accepted()]
    assert (True, False) == (secrets.reject(one), asyncio.run(secrets.areject(asyncio.run(secrets.asecret()))))

    secrets.rotate("three", overlap=False)
    assert ["three"] == [s.text() for s in asyncio.run(secrets.aaccepted())]
    assert ["version-1", "version-2"] == secrets.rejected


def test_a_secret_s_failure_lasts_until_it_is_rotated() -> None:
    """`fail` makes reads raise; `rotate` ends that."""
    secrets = FakeSecretReader()
    first = secrets.secret()
    secrets.fail(SecretStoreUnavailable("down"))

    with pytest.raises(SecretStoreUnavailable, match="down"):
        secrets.text()
    assert not secrets.reject(first)

    secrets.rotate("new")
    assert "new" == secrets.text()


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


PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
*EXAMPLES, CONFTEST = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FIXTURES = """
def test_fixtures(fake_tokens, fake_secret):
    assert ("fake-access-token", "fake-secret") == (fake_tokens.get(), fake_secret.text())
"""


def test_the_examples_pass(pytester: pytest.Pytester) -> None:
    """The page's examples, one after the other, are a test module that passes, and its conftest gives the fixtures."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("\n".join([*EXAMPLES, FIXTURES]))

    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=5)
