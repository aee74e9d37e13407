"""The references that a reader takes, how a malformed one is named, and what people write by mistake."""

import re
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import trio

from testbed.reader_surroundings import Store
from token_refresh import reader, webhooks
from token_refresh.reader import ConfigurationError, SecretGroup, SecretReader, TokenReader
from token_refresh.reference import AMPLIFY_PLACEHOLDER, Reference, ReferenceScheme, parse_reference

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tokens-AbCdEf"


@pytest.mark.parametrize(
    ("text", "scheme", "name", "field"),
    [
        ("tokens", ReferenceScheme.SECRET, "tokens", None),
        ("my-app/prod/stripe_v2+x=1@home.", ReferenceScheme.SECRET, "my-app/prod/stripe_v2+x=1@home.", None),
        ("my-app/prod/slack#signingSecret", ReferenceScheme.SECRET, "my-app/prod/slack", "signingSecret"),
        ("slack#signing secret#2", ReferenceScheme.SECRET, "slack", "signing secret#2"),
        (ARN, ReferenceScheme.SECRET, ARN, None),
        (f"{ARN}#signingSecret", ReferenceScheme.SECRET, ARN, "signingSecret"),
        ("ssm:/app/dev/key", ReferenceScheme.PARAMETER, "/app/dev/key", None),
        ("ssm:/app/dev/slack#signingSecret", ReferenceScheme.PARAMETER, "/app/dev/slack", "signingSecret"),
        ("amplify:STRIPE_KEY", ReferenceScheme.AMPLIFY, "STRIPE_KEY", None),
        ("amplify:SLACK#signingSecret", ReferenceScheme.AMPLIFY, "SLACK", "signingSecret"),
        ("env:STRIPE_KEY", ReferenceScheme.ENVIRONMENT, "STRIPE_KEY", None),
        ("env:STRIPE#KEY", ReferenceScheme.ENVIRONMENT, "STRIPE#KEY", None),
        ("file:/tmp/a:b", ReferenceScheme.FILE, "/tmp/a:b", None),  # noqa: S108 - only parsed
        ("file:/tmp/a#b", ReferenceScheme.FILE, "/tmp/a#b", None),  # noqa: S108 - only parsed
    ],
)
def test_references(text: str, scheme: ReferenceScheme, name: str, field: str | None) -> None:
    """A name of AWS has neither a colon nor a `#`, so scheme and field are never ambiguous; those of a laptop may."""
    assert Reference(scheme=scheme, name=name, text=text, field=field) == parse_reference(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a reader needs a reference and got an empty string: give the name or ARN of a secret, ssm:/path"),
        (" ", "got an empty string"),
        (None, "got NoneType"),
        (7, "got int"),
        (AMPLIFY_PLACEHOLDER, "the reference is Amplify's placeholder for a secret: give amplify:NAME"),
        ("vault:canary", "character 6 of 12 can't be there. Give the name or ARN of a secret, ssm:/path"),
        ("canary secret", "character 7 of 13 can't be there"),
        ('{"canary": 1}', "character 1 of 13 can't be there"),
        ("canäry", "character 4 of 6 can't be there"),
        ("canary\x07", "character 7 of 7 can't be there"),
        ("#canary", "character 1 of 7 can't be there"),
        ("canary#", "it ends after 7 characters"),
        ("canary# ", "it ends after 8 characters"),
        ("canary#a\nb", "character 9 of 10 can't be there"),
        (512 * "c" + "anary", "character 513 of 517 can't be there"),
        ("arn:aws:ssm:eu-central-1:123456789012:parameter/canary", "character 9 of 54 can't be there"),
        (ARN.replace("tokens", "can ary"), "character 60 of 70 can't be there"),
        (ARN[: ARN.index("tokens")], f"it ends after {ARN.index('tokens')} characters"),
        ("ssm:", "it ends after 4 characters. Give a parameter's path without a version"),
        ("ssm:/canary/key:3", "character 16 of 17 can't be there. Give a parameter's path without a version"),
        ("ssm:/canary\n", "character 12 of 12 can't be there"),
        ("amplify:can ary", "character 12 of 15 can't be there"),
        ("env: ", "it ends after 5 characters"),
    ],
)
def test_malformed_reference(text: Any, says: str) -> None:
    """A malformed reference is named by its length and the place of its first wrong character, and not quoted."""
    for make in (TokenReader, SecretReader, SecretGroup):
        with pytest.raises(ConfigurationError) as caught:
            make(text)
        assert says in str(caught.value)
        assert not {"canary", "can ary", "canäry"} & set(re.split("[^a-zä ]", str(caught.value)))


def test_a_field_is_given_once() -> None:
    """A field both in the reference and as an argument is refused, also if they are equal."""
    with pytest.raises(ConfigurationError, match="slack#a names a field, and field= gives one, too: leave one of them"):
        SecretReader("slack#a", field="a")


@pytest.mark.parametrize("text", ["env:KEY", "file:/tmp/key"])
def test_local_references_are_refused_in_lambda(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Nothing local is read in Lambda: a secret in a variable shows in the function's configuration."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "consumer")
    with pytest.raises(ConfigurationError, match=f"{text} is for local development and is refused in Lambda"):
        SecretReader(text)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"ttl": 5}, r"ttl must be a timedelta, such as timedelta\(minutes=5\); it is a int"),
        ({"ttl": timedelta()}, "ttl must be a positive timedelta"),
        ({"max_stale": 5}, "max_stale must be a timedelta"),
        ({"overlap": 5}, "overlap must be a timedelta"),
        ({"region": "eu-west-1"}, "region is eu-west-1, and .* is in another region: leave region out"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], says: str) -> None:
    """An argument that can't be right is named when the reader is made."""
    with pytest.raises(ConfigurationError, match=says):
        SecretReader(ARN, **arguments)


def test_the_region_that_an_arn_has_already() -> None:
    """A region beside an ARN is no mistake where the ARN is in that region, nor beside a name."""
    for named in (ARN, "tokens"):
        assert isinstance(SecretReader(named, region="eu-central-1"), SecretReader)


def test_a_reader_under_trio(store: Store) -> None:
    """Under trio an asynchronous method says what to write there, and that works."""
    store.put("one")
    tokens, secret = TokenReader("tokens", client=store.client), SecretReader("tokens", client=store.client)

    with pytest.raises(ConfigurationError, match="need asyncio") as caught:
        trio.run(tokens.aget)
    with pytest.raises(ConfigurationError, match="need asyncio"):
        trio.run(secret.asecret)

    assert str(caught.value).endswith("await trio.to_thread.run_sync(tokens.get)")
    assert caught.value.__context__ is None
    assert "one" == trio.run(trio.to_thread.run_sync, tokens.get)


@pytest.mark.parametrize("package", [reader, webhooks])
def test_every_public_name_is_there(package: ModuleType) -> None:
    """All names can be imported from the package, those that are loaded on first use too, and no others."""
    assert set() == {name for name in package.__all__ if getattr(package, name) is None}
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        _ = package.nothing
