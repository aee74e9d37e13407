"""`TokenReader` against a real HTTP store through the real client."""

import asyncio
from datetime import UTC, datetime

import pytest

from testbed.reader_surroundings import START, Store, WallClock, runtime
from token_refresh.reader import (
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretReader,
    Token,
    TokenExpired,
    TokenReader,
)


def test_token_with_expiry_and_version(store: Store, tokens: TokenReader) -> None:
    """`token()` returns the cached value, its expiry, its version and when that was stored; nothing shows the value."""
    version_id = store.put("canary-token")
    expected = Token(
        value="canary-token",
        expires_at=datetime.fromtimestamp(START + 3600, UTC),
        version_id=version_id,
        created_at=datetime.fromtimestamp(START, UTC),
    )
    token = tokens.token()
    assert expected == token == tokens.token() == asyncio.run(tokens.atoken())
    assert "canary-token" == tokens.get() == asyncio.run(tokens.aget())
    assert 1 == store.reads
    assert "canary" not in f"{token!r} {token} {tokens!r}"
    assert version_id in repr(token)


def test_health(store: Store, tokens: TokenReader, clock: WallClock) -> None:
    """Without a read, `health` says how long the token lives, when it was read, and why the last read failed."""
    assert (None, None, None) == health_of(tokens)
    store.put("canary-token")
    tokens.get()
    clock.advance(600)
    assert (3000, 600, None) == health_of(tokens)

    store.server.fault("deny", "GetSecretValue", times=None)
    clock.advance(2400)
    assert "canary-token" == tokens.get()
    assert (600, 3000, SecretAccessDenied) == health_of(tokens)
    clock.advance(700)
    with pytest.raises(SecretAccessDenied):
        tokens.get()

    assert (-100, 3700, SecretAccessDenied) == health_of(tokens)
    error = tokens.health().last_error
    assert error is not None
    assert error.__traceback__ is None
    assert "canary" not in f"{tokens.health()!r}"
    store.server.faults.clear()
    store.put("two")
    clock.advance(10)
    tokens.get()
    assert (3590, 0, None) == health_of(tokens)


def health_of(tokens: TokenReader) -> tuple[float | None, float | None, type[Exception] | None]:
    health = tokens.health()
    return health.seconds_to_expiry, health.age_seconds, type(health.last_error) if health.last_error else None


def test_expired_token_is_never_returned(store: Store, tokens: TokenReader, clock: WallClock) -> None:
    """From the second of its expiry a token is not returned; the error says since when, and which version."""
    version_id = store.put("one")
    tokens.get()
    clock.advance(3599.999)
    assert "one" == tokens.get()
    clock.advance(0.001)
    expected = (
        rf"secret tokens in eu-central-1: the access token expired at 2027-01-15T09:00:00Z \(version {version_id}\)"
    )
    with pytest.raises(TokenExpired, match=expected):
        tokens.get()


def test_older_version_made_current_does_not_replace_a_valid_token(
    store: Store, tokens: TokenReader, clock: WallClock
) -> None:
    """If someone makes a version with an expired token current, the valid cached one stays in use."""
    store.put("one")
    clock.advance(3600)
    store.put("two")
    tokens.get()
    store.put("expired", lives_seconds=-1)
    clock.advance(3000)
    assert "two" == tokens.get()
    assert 2 == store.reads
    clock.advance(600)
    with pytest.raises(TokenExpired):
        tokens.get()


def test_reject_takes_value_or_token(store: Store, tokens: TokenReader) -> None:
    """A refused token can be given as the string that was sent, or as the `Token`."""
    store.put("one")
    token = tokens.token()
    store.put("two")
    assert tokens.reject(token)
    store.put("three")
    assert asyncio.run(tokens.areject("two"))
    assert "three" == tokens.get()


def test_a_token_rejected_again_and_again(store: Store, tokens: TokenReader, clock: WallClock) -> None:
    """A store that names another version or time for the same token at each read gets no more reads for that."""
    store.put("one")
    tokens.get()

    def reject() -> bool:
        store.put("one")
        return tokens.reject("one")

    assert [False] * 5 == [reject() for _ in range(5)]
    assert 2 == store.reads
    clock.advance(1)
    assert not asyncio.run(tokens.areject("one"))
    assert 3 == store.reads
    store.put("two")
    clock.advance(2)
    assert tokens.reject("one")


def test_refresh_in_lambda_is_inline(store: Store, clock: WallClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Lambda, which freezes threads between invocations, a soft refresh runs in the caller."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "consumer")
    reader = TokenReader("tokens", client=store.client, runtime=runtime(clock))
    store.put("one")
    reader.get()
    store.put("two")
    clock.advance(3000)
    assert "two" == reader.get()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "{}",
            SecretEmpty,
            "has no access token: none is published yet, .* `token-refresh status tokens --region eu-central-1`",
        ),
        ('{"refreshToken": "r"}', SecretEmpty, "or the grant was revoked: ask the people who run the worker; "),
        ('{"revokedAt": "2026-11-27T16:00:00Z"}', SecretEmpty, "or the grant was revoked: "),
        ("canary", InvalidSecretDocument, "the secret's value is not JSON; it must be a JSON object"),
    ],
)
def test_no_token_yet(  # noqa: PLR0917 - fixtures and cases
    store: Store, tokens: TokenReader, clock: WallClock, text: str, error: type[Exception], message: str
) -> None:
    """A secret without a token, or with something else, is an error that names secret and version, not content."""
    store.client.create_secret(Name="tokens")
    with pytest.raises(SecretEmpty, match=r"has no current value .*: the worker has not published a token yet"):
        tokens.get()
    version_id = store.put_text(text)
    clock.advance(5)
    with pytest.raises(error, match=message) as caught:
        tokens.get()
    assert str(caught.value).startswith(f"secret tokens in eu-central-1, version '{version_id}'")
    assert "canary" not in str(caught.value)
    store.client.put_secret_value(SecretId="tokens", SecretBinary=b"canary")
    clock.advance(5)
    with pytest.raises(InvalidSecretDocument, match="is binary: a token document is JSON text") as binary:
        tokens.get()
    assert "canary" not in str(binary.value)
    store.put("one")
    clock.advance(5)
    assert "one" == tokens.get()


@pytest.mark.parametrize("given", ["name", "ARN", "name of none"])
def test_nothing_is_published_yet(store: Store, given: str) -> None:
    """A published secret that is empty or missing says whom to ask, and advises nobody to store a token there."""
    name = "tokens-published"
    arn = None if given == "name of none" else store.client.create_secret(Name=name)["ARN"]
    with pytest.raises((SecretEmpty, SecretNotFound)) as caught:
        TokenReader(arn if given == "ARN" and arn else name, client=store.client).get()
    said = str(caught.value)
    assert "the worker has not published a token yet. Ask the people who run it" in said
    assert "`token-refresh status tokens --region eu-central-1` of the token secret says why" in said
    assert "authorize" not in said


@pytest.mark.parametrize("there", [True, False])
def test_a_copy_of_a_fleet_that_is_not_there(store: Store, *, there: bool) -> None:
    """Where the copy's name does not say which token secret it is of, no command has a name in it."""
    name = "published/customers/7/quickbooks"
    if there:
        store.client.create_secret(Name=name)
    with pytest.raises((SecretEmpty, SecretNotFound)) as caught:
        TokenReader(name, client=store.client).get()
    said = str(caught.value)
    assert "Ask the people who run it; token-refresh status of the token secret says why" in said
    assert "`" not in said


def test_other_secrets_are_not_authorized(store: Store) -> None:
    """A secret that holds no tokens is stored by hand, and looked up by name: its errors never speak of `authorize`."""
    store.client.create_secret(Name="stripe")
    with pytest.raises(SecretEmpty, match="store one with `aws secretsmanager put-secret-value") as empty:
        SecretReader("stripe", client=store.client).text()
    with pytest.raises(
        SecretNotFound, match="`aws secretsmanager list-secrets --region eu-central-1` lists"
    ) as missing:
        SecretReader("strype", client=store.client).text()
    assert "authorize" not in f"{empty.value} {missing.value}"
